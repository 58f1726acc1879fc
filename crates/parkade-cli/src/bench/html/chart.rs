//! Charts as SVG. Colours come from the page's style, so that they follow its theme.

use parkade_bench::subject::SubjectId;
use svg::Document;
use svg::node::element::{Group, Line, Path, Polyline, Rectangle, Text, Title};

use super::scale::{Kind, Scale};

const WIDTH: f64 = 380.0;
const HEIGHT: f64 = 270.0;
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
pub(super) struct Series {
    pub(super) subject: SubjectId,
    pub(super) points: Vec<(f64, f64)>,
}

/// A mark for every series.
pub(super) fn scatter(x: Axis, y: Axis, series: &[Series]) -> String {
    plot(x, y, series, None)
}

/// A line with marks for every series; ticks of the x axis only at `ticks`.
pub(super) fn lines(x: Axis, y: Axis, series: &[Series], ticks: &[f64]) -> String {
    plot(x, y, series, Some(ticks))
}

fn plot(x: Axis, y: Axis, series: &[Series], ticks: Option<&[f64]>) -> String {
    let values = |of: fn(&(f64, f64)) -> f64| series.iter().flat_map(|s| &s.points).map(of);
    let across = Scale::new(x.kind, values(|p| p.0), LEFT, WIDTH - RIGHT);
    let up = Scale::new(y.kind, values(|p| p.1), HEIGHT - BOTTOM, TOP);
    let mut document = canvas(WIDTH, HEIGHT);
    for tick in ticks.map_or_else(|| across.ticks(), <[f64]>::to_vec) {
        let place = across.at(tick);
        document = document.add(line(place, TOP, place, HEIGHT - BOTTOM, "grid")).add(text(
            place,
            HEIGHT - BOTTOM + 15.0,
            "middle",
            &(x.write)(tick),
        ));
    }
    for tick in up.ticks() {
        let place = up.at(tick);
        document = document.add(line(LEFT, place, WIDTH - RIGHT, place, "grid")).add(text(
            LEFT - 6.0,
            place + 4.0,
            "end",
            &(y.write)(tick),
        ));
    }
    let middle = (TOP + HEIGHT - BOTTOM) / 2.0;
    document =
        document.add(text((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 8.0, "middle", x.title)).add(
            text(12.0, middle, "middle", y.title)
                .set("transform", format!("rotate(-90 12 {middle})")),
        );
    for series in series.iter().rev() {
        let class = class(series.subject);
        let places: Vec<(f64, f64)> =
            series.points.iter().map(|&(a, b)| (across.at(a), up.at(b))).collect();
        if places.len() > 1 {
            let points: Vec<String> =
                places.iter().map(|(a, b)| format!("{a:.1},{b:.1}")).collect();
            let curve = Polyline::new()
                .set("class", format!("curve {class}"))
                .set("points", points.join(" "));
            document = document.add(curve);
        }
        for (&(a, b), &(value_a, value_b)) in places.iter().zip(&series.points) {
            let tip = format!("{}: {}, {}", series.subject, (x.write)(value_a), (y.write)(value_b));
            document = document.add(mark(series.subject, a, b, &tip));
        }
    }
    document.to_string()
}

/// One bar a lock.
pub(super) fn bars(values: &[(SubjectId, f64)], write: fn(f64) -> String) -> String {
    const ROW: f64 = 26.0;
    const NAMES: f64 = 120.0;
    let height = ROW * values.len() as f64 + 8.0;
    let scale = Scale::new(Kind::Linear, values.iter().map(|v| v.1), NAMES, WIDTH - 60.0);
    let mut document = canvas(WIDTH, height);
    for (row, &(subject, value)) in values.iter().enumerate() {
        let top = 4.0 + ROW * row as f64;
        let bar = Rectangle::new()
            .set("class", format!("bar {}", class(subject)))
            .set("x", NAMES)
            .set("y", top + 4.0)
            .set("width", format!("{:.1}", scale.at(value) - NAMES))
            .set("height", ROW - 8.0);
        document = document
            .add(text(NAMES - 8.0, top + ROW / 2.0 + 4.0, "end", subject.name()))
            .add(bar)
            .add(
                text(scale.at(value) + 6.0, top + ROW / 2.0 + 4.0, "start", &write(value))
                    .set("class", "value"),
            );
    }
    document.to_string()
}

/// A row for each scenario with every lock's ratio to the best rival in it.
pub(super) fn ratios(rows: &[(&str, Vec<(SubjectId, f64)>)], write: fn(f64) -> String) -> String {
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
        document = document.add(line(place, 4.0, place, bottom, class)).add(text(
            place,
            bottom + 16.0,
            "middle",
            &write(tick),
        ));
    }
    for (row, (name, ratios)) in rows.iter().enumerate() {
        let middle = 8.0 + ROW * (row as f64 + 0.5);
        document = document.add(text(NAMES - 12.0, middle + 4.0, "end", name));
        for &(subject, ratio) in ratios.iter().rev() {
            let tip = format!("{name}, {subject}: {}", write(ratio));
            document = document.add(mark(subject, scale.at(ratio), middle, &tip));
        }
    }
    document.to_string()
}

/// A lock's mark alone, for the legend.
pub(super) fn symbol(subject: SubjectId) -> String {
    canvas(16.0, 16.0).add(mark(subject, 8.0, 8.0, subject.name())).to_string()
}

/// The class that carries a lock's colour.
pub(super) fn class(subject: SubjectId) -> &'static str {
    match subject {
        SubjectId::Parkade => "parkade",
        SubjectId::Std => "std",
        SubjectId::ParkingLot012 => "pl12",
        SubjectId::ParkingLot013 => "pl13",
        SubjectId::Usync => "usync",
        SubjectId::Saa => "saa",
        SubjectId::Pthread => "pthread",
    }
}

/// A lock's mark: the shape tells the lock where colours do not.
fn mark(subject: SubjectId, x: f64, y: f64, tip: &str) -> Group {
    let (shape, fill) = match subject {
        SubjectId::Parkade => ("M0-6.5 2 -2 6.5-2 3 1.2 4 6 0 3.2-4 6-3 1.2-6.5-2-2-2Z", "mark"),
        SubjectId::Std => ("M-4-4H4V4H-4Z", "mark"),
        SubjectId::ParkingLot012 => ("M0-5 5 4H-5Z", "mark"),
        SubjectId::ParkingLot013 => ("M0 5 5-4H-5Z", "mark hollow"),
        SubjectId::Usync => ("M0-5.5 5.5 0 0 5.5-5.5 0Z", "mark hollow"),
        SubjectId::Saa => ("M-4-4 4 4M-4 4 4-4", "mark hollow"),
        SubjectId::Pthread => ("M-5 0H5M0-5V5", "mark hollow"),
    };
    let path = Path::new().set("class", format!("{fill} {}", class(subject))).set("d", shape);
    Group::new()
        .set("transform", format!("translate({x:.1} {y:.1})"))
        .add(Title::new(tip))
        .add(path)
}

fn canvas(width: f64, height: f64) -> Document {
    Document::new().set("viewBox", (0, 0, width, height)).set("role", "img")
}

fn line(x1: f64, y1: f64, x2: f64, y2: f64, class: &str) -> Line {
    let place = |v: f64| format!("{v:.1}");
    Line::new()
        .set("class", class)
        .set("x1", place(x1))
        .set("y1", place(y1))
        .set("x2", place(x2))
        .set("y2", place(y2))
}

fn text(x: f64, y: f64, anchor: &str, content: &str) -> Text {
    Text::new(content)
        .set("x", format!("{x:.1}"))
        .set("y", format!("{y:.1}"))
        .set("text-anchor", anchor)
}
