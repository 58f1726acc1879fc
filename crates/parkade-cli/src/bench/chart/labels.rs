//! Names beside marks, placed so that they cover neither each other nor a mark.

/// A mark and the name it is to get.
#[derive(Debug, Clone)]
pub(super) struct Spot {
    pub(super) x: f64,
    pub(super) y: f64,
    /// Half of the mark's width and height.
    pub(super) radius: f64,
    pub(super) name: String,
}

/// Where a name goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    /// The middle of the name.
    pub(super) x: f64,
    pub(super) y: f64,
    /// The end of a line to the mark, if the name stands so far away that it needs one.
    pub(super) leader: Option<(f64, f64)>,
}

/// A rectangle by its middle and half of its sides.
#[derive(Debug, Clone, Copy)]
pub(super) struct Area {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) half_width: f64,
    pub(super) half_height: f64,
}

impl Area {
    /// The area both cover.
    fn overlap(&self, other: &Area) -> f64 {
        let along = |a: f64, half_a: f64, b: f64, half_b: f64| {
            ((a + half_a).min(b + half_b) - (a - half_a).max(b - half_b)).max(0.0)
        };
        along(self.x, self.half_width, other.x, other.half_width)
            * along(self.y, self.half_height, other.y, other.half_height)
    }

    /// How much of it lies outside of `frame`.
    fn outside(&self, frame: &Area) -> f64 {
        4.0 * self.half_width * self.half_height - self.overlap(frame)
    }
}

/// About the width of a name in the charts' small type, and its height.
pub(super) fn extent(name: &str) -> (f64, f64) {
    (6.0 * name.chars().count() as f64 + 2.0, 11.0)
}

/// Names closer to their mark than this need no line to it.
const NEAR: f64 = 3.0;

/// A place within `frame` for every name, away from the marks and from what else is drawn at
/// `others`. The first have the widest choice.
pub(super) fn place(spots: &[Spot], frame: Area, others: &[Area]) -> Vec<Place> {
    let marks: Vec<Area> = spots
        .iter()
        .map(|spot| Area {
            x: spot.x,
            y: spot.y,
            half_width: spot.radius,
            half_height: spot.radius,
        })
        .collect();
    let mut taken: Vec<Area> = others.to_vec();
    let mut places = Vec::new();
    for spot in spots {
        let cost = |area: &Area, gap: f64| {
            let covered: f64 = marks.iter().chain(&taken).map(|other| area.overlap(other)).sum();
            3.0 * covered + 10.0 * area.outside(&frame) + gap
        };
        let (area, gap, _) = candidates(spot)
            .map(|(area, gap)| (area, gap, cost(&area, gap)))
            .min_by(|a, b| a.2.total_cmp(&b.2))
            .expect("there are candidates");
        taken.push(area);
        places.push(Place {
            x: area.x,
            y: area.y,
            leader: (gap > NEAR).then(|| nearest(&area, (spot.x, spot.y))),
        });
    }
    places
}

/// Places around a mark, each with its distance.
fn candidates(spot: &Spot) -> impl Iterator<Item = (Area, f64)> {
    const GAPS: [f64; 5] = [NEAR, 10.0, 20.0, 32.0, 46.0];
    const ANGLES: u32 = 16;
    let (width, height) = extent(&spot.name);
    GAPS.into_iter().flat_map(move |gap| {
        (0..ANGLES).map(move |step| {
            let angle = f64::from(step) * std::f64::consts::TAU / f64::from(ANGLES);
            let reach = spot.radius + gap;
            let area = Area {
                x: spot.x + angle.cos() * (reach + width / 2.0),
                y: spot.y + angle.sin() * (reach + height / 2.0),
                half_width: width / 2.0,
                half_height: height / 2.0,
            };
            (area, gap)
        })
    })
}

/// The point of an area next to another point.
fn nearest(area: &Area, (x, y): (f64, f64)) -> (f64, f64) {
    (
        x.clamp(area.x - area.half_width, area.x + area.half_width),
        y.clamp(area.y - area.half_height, area.y + area.half_height),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Area = Area { x: 150.0, y: 100.0, half_width: 150.0, half_height: 100.0 };

    fn spot(x: f64, y: f64, name: &str) -> Spot {
        Spot { x, y, radius: 6.0, name: name.into() }
    }

    fn area(place: &Place, name: &str) -> Area {
        let (width, height) = extent(name);
        Area { x: place.x, y: place.y, half_width: width / 2.0, half_height: height / 2.0 }
    }

    #[test]
    fn a_lonely_name_stands_right_beside_its_mark() {
        let places = place(&[spot(100.0, 100.0, "std")], FRAME, &[]);
        assert_eq!((places[0].y, places[0].leader), (100.0, None));
        assert!(places[0].x > 106.0);
    }

    #[test]
    fn a_line_is_not_written_on() {
        let line = Area { y: 100.0, half_height: 1.0, ..FRAME };
        let places = place(&[spot(100.0, 100.0, "std")], FRAME, &[line]);
        assert_eq!(area(&places[0], "std").overlap(&line), 0.0);
    }

    #[test]
    fn names_stay_in_the_frame() {
        for (x, y) in [(0.0, 0.0), (300.0, 0.0), (300.0, 200.0), (0.0, 200.0)] {
            let places = place(&[spot(x, y, "parking_lot")], FRAME, &[]);
            assert!(area(&places[0], "parking_lot").outside(&FRAME) < 1.0, "{x} {y} {places:?}");
        }
    }

    #[test]
    fn a_crowd_is_pulled_apart() {
        let names = ["parkade", "std", "pl-0.12", "pl-0.13", "usync", "saa", "pthread"];
        let spots: Vec<Spot> = names
            .iter()
            .enumerate()
            .map(|(index, name)| spot(150.0 + 2.0 * index as f64, 100.0 + index as f64, name))
            .collect();
        let places = place(&spots, FRAME, &[]);
        let areas: Vec<Area> =
            places.iter().zip(names).map(|(place, name)| area(place, name)).collect();
        for (index, one) in areas.iter().enumerate() {
            for other in &areas[index + 1..] {
                assert!(one.overlap(other) < 1.0, "{one:?} {other:?}");
            }
        }
        assert!(places.iter().any(|place| place.leader.is_some()));
    }
}
