//! Charts as SVG. Colours are classes, so that they follow the reader's theme.

mod labels;
mod look;
mod panel;
mod scale;

use svg::Document;
use svg::node::element::{Group, Line, Path, Polyline, Rectangle, Text, Title};

pub(super) use look::{Look, Looks, Theme};
pub(super) use panel::{Panel, size_key};
pub(super) use scale::Kind;
use scale::Scale;

pub(super) const WIDTH: f64 = 380.0;
pub(super) const HEIGHT: f64 = 270.0;
const LEFT: f64 = 66.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 44.0;

/// An axis: what it shows and how its figures are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    pub(super) title: &'static str,
    pub(super) kind: Kind,
    pub(super) write: fn(f64) -> String,
}

/// A line or, with one point, a mark.
#[derive(Debug, Clone)]
pub(super) struct Series<'a> {
    pub(super) look: &'a Look,
    pub(super) points: Vec<(f64, f64)>,
}

/// A mark for every series.
pub(super) fn scatter(x: Axis, y: Axis, series: &[Series<'_>]) -> String {
    plot(x, y, series, None)
}

/// A line with marks for every series; ticks of the x axis only at `ticks`.
pub(super) fn lines(x: Axis, y: Axis, series: &[Series<'_>], ticks: &[f64]) -> String {
    plot(x, y, series, Some(ticks))
}

fn plot(x: Axis, y: Axis, series: &[Series<'_>], ticks: Option<&[f64]>) -> String {
    let values = |of: fn(&(f64, f64)) -> f64| series.iter().flat_map(|s| &s.points).map(of);
    let across = Scale::new(x.kind, values(|p| p.0), LEFT, WIDTH - RIGHT);
    let up = Scale::new(y.kind, values(|p| p.1), HEIGHT - BOTTOM, TOP);
    let ticks = ticks.map_or_else(|| across.ticks(), <[f64]>::to_vec);
    let mut document = canvas(WIDTH, HEIGHT).add(frame((x, &across, &ticks), (y, &up)));
    for series in series.iter().rev() {
        let look = series.look;
        let places: Vec<(f64, f64)> =
            series.points.iter().map(|&(a, b)| (across.at(a), up.at(b))).collect();
        if places.len() > 1 {
            document = document.add(curve(&places, &format!("curve {}", look.class)));
        }
        for (&(a, b), &(value_a, value_b)) in places.iter().zip(&series.points) {
            let tip = format!("{}: {}, {}", look.name, (x.write)(value_a), (y.write)(value_b));
            document = document.add(mark(look, (a, b), 1.0, &tip));
        }
    }
    document.to_string()
}

/// The grid with its figures and the titles of both axes.
fn frame((x, across, ticks): (Axis, &Scale, &[f64]), (y, up): (Axis, &Scale)) -> Group {
    let mut group = Group::new();
    for &tick in ticks {
        let place = across.at(tick);
        group = group.add(line((place, TOP), (place, HEIGHT - BOTTOM), "grid")).add(text(
            place,
            HEIGHT - BOTTOM + 15.0,
            "middle",
            &(x.write)(tick),
        ));
    }
    for tick in up.ticks() {
        let place = up.at(tick);
        group = group.add(line((LEFT, place), (WIDTH - RIGHT, place), "grid")).add(text(
            LEFT - 6.0,
            place + 4.0,
            "end",
            &(y.write)(tick),
        ));
    }
    let middle = (TOP + HEIGHT - BOTTOM) / 2.0;
    group.add(text((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 8.0, "middle", x.title)).add(
        text(12.0, middle, "middle", y.title).set("transform", format!("rotate(-90 12 {middle})")),
    )
}

/// One bar a lock.
pub(super) fn bars(values: &[(&Look, f64)], write: fn(f64) -> String) -> String {
    const ROW: f64 = 26.0;
    let letters = values.iter().map(|(look, _)| look.name.chars().count()).max().unwrap_or(0);
    let names = (6.4 * letters as f64 + 12.0).min(WIDTH / 1.6);
    let height = ROW * values.len() as f64 + 8.0;
    let scale = Scale::new(Kind::Linear, values.iter().map(|v| v.1), names, WIDTH - 60.0);
    let mut document = canvas(WIDTH, height);
    for (row, &(look, value)) in values.iter().enumerate() {
        let top = 4.0 + ROW * row as f64;
        let bar = Rectangle::new()
            .set("class", format!("bar {}", look.class))
            .set("x", names)
            .set("y", top + 4.0)
            .set("width", format!("{:.1}", scale.at(value) - names))
            .set("height", ROW - 8.0);
        document =
            document.add(text(names - 8.0, top + ROW / 2.0 + 4.0, "end", &look.name)).add(bar).add(
                text(scale.at(value) + 6.0, top + ROW / 2.0 + 4.0, "start", &write(value))
                    .set("class", "value"),
            );
    }
    document.to_string()
}

/// A row for each scenario with every lock's ratio to the best rival in it.
pub(super) fn ratios(rows: &[(&str, Vec<(&Look, f64)>)], write: fn(f64) -> String) -> String {
    const ROW: f64 = 24.0;
    const NAMES: f64 = 110.0;
    const WIDE: f64 = 900.0;
    let bottom = 8.0 + ROW * rows.len() as f64;
    let all = rows.iter().flat_map(|(_, ratios)| ratios.iter().map(|r| r.1));
    let highest = all.clone().fold(1.0, f64::max) * 1.15;
    // Below a hundredth of the best rival nothing is gained by more exact figures.
    let lowest = all.filter(|r| *r > 0.0).fold(1.0, f64::min).max(0.01) * 0.9;
    let scale = Scale::fixed(Kind::Log, lowest, highest, NAMES, WIDE - 16.0);
    let mut document = canvas(WIDE, bottom + 24.0);
    for tick in [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0] {
        if !(lowest..=highest).contains(&tick) {
            continue;
        }
        let place = scale.at(tick);
        let class = if tick == 1.0 { "reference" } else { "grid" };
        document = document.add(line((place, 4.0), (place, bottom), class)).add(text(
            place,
            bottom + 16.0,
            "middle",
            &write(tick),
        ));
    }
    for (row, (name, ratios)) in rows.iter().enumerate() {
        let middle = 8.0 + ROW * (row as f64 + 0.5);
        document = document.add(text(NAMES - 12.0, middle + 4.0, "end", name));
        for &(look, ratio) in ratios.iter().rev() {
            let tip = format!("{name}, {}: {}", look.name, write(ratio));
            document = document.add(mark(look, (scale.at(ratio), middle), 1.0, &tip));
        }
    }
    document.to_string()
}

/// A lock's mark alone, for the legend.
pub(super) fn symbol(look: &Look) -> String {
    canvas(16.0, 16.0).add(mark(look, (8.0, 8.0), 1.0, &look.name)).to_string()
}

/// A lock's mark, `size` times as wide as in a legend.
pub(super) fn mark(look: &Look, (x, y): (f64, f64), size: f64, tip: &str) -> Group {
    let path = Path::new().set("class", format!("mark {}", look.class)).set("d", look.shape);
    Group::new()
        .set("transform", format!("translate({x:.1} {y:.1}) scale({size:.2})"))
        .add(Title::new(tip))
        .add(path)
}

fn curve(places: &[(f64, f64)], class: &str) -> Polyline {
    let points: Vec<String> = places.iter().map(|(a, b)| format!("{a:.1},{b:.1}")).collect();
    Polyline::new().set("class", class).set("points", points.join(" "))
}

pub(super) fn canvas(width: f64, height: f64) -> Document {
    Document::new().set("viewBox", (0, 0, width, height)).set("role", "img")
}

fn line((x1, y1): (f64, f64), (x2, y2): (f64, f64), class: &str) -> Line {
    let place = |v: f64| format!("{v:.1}");
    Line::new()
        .set("class", class)
        .set("x1", place(x1))
        .set("y1", place(y1))
        .set("x2", place(x2))
        .set("y2", place(y2))
}

pub(super) fn text(x: f64, y: f64, anchor: &str, content: &str) -> Text {
    Text::new(content)
        .set("x", format!("{x:.1}"))
        .set("y", format!("{y:.1}"))
        .set("text-anchor", anchor)
}
