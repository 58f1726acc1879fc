//! Curves by number of threads.

use svg::Document;
use svg::node::element::{Circle, Line, Polyline, Rectangle, Text};

use super::{Cell, Report};

const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 60.0;
const TOP: f64 = 50.0;
const COLOURS: [&str; 8] =
    ["#d62728", "#1f77b4", "#2ca02c", "#9467bd", "#8c564b", "#17becf", "#7f7f7f", "#bcbd22"];

/// One of the two panels.
struct Panel<'a> {
    title: &'a str,
    left: f64,
    figure: fn(&Cell) -> f64,
}

/// A scale in powers.
struct Scale {
    least: f64,
    most: f64,
    from: f64,
    to: f64,
}

impl Scale {
    fn over(figures: impl Iterator<Item = f64> + Clone, from: f64, to: f64) -> Scale {
        let least = figures.clone().fold(f64::MAX, f64::min);
        let most = figures.fold(f64::MIN_POSITIVE, f64::max);
        Scale { least, most: most.max(least * 1.01), from, to }
    }

    fn at(&self, figure: f64) -> f64 {
        let part = (figure / self.least).ln() / (self.most / self.least).ln();
        self.from + (self.to - self.from) * part
    }
}

/// Throughput and longest wait of each lock by threads, for the report's first scenario of each number.
pub(super) fn curve(report: &Report) -> String {
    let machine = &report.machine;
    let scenario = report.cells.first().map_or("", |cell| &cell.scenario);
    let title = format!(
        "SIMULATION: {scenario} by threads on {} cores ({}), seed {}",
        machine.cores.value, machine.name, report.seed
    );
    let total = 2.0 * (LEFT + WIDTH) + 160.0;
    let mut document = Document::new()
        .set("viewBox", (0, 0, total as u32, (TOP + HEIGHT + 50.0) as u32))
        .set("font-family", "sans-serif")
        .set("font-size", 12)
        .add(Rectangle::new().set("width", "100%").set("height", "100%").set("fill", "white"))
        .add(Text::new(title).set("x", LEFT).set("y", 20).set("font-size", 14));
    let panels = [
        Panel {
            title: "M operations per second",
            left: LEFT,
            figure: |cell| (cell.outcome.ops_per_sec() / 1e6).max(1e-6),
        },
        Panel {
            title: "longest wait, ms",
            left: 2.0 * LEFT + WIDTH,
            figure: |cell| (cell.outcome.waits.max_ns as f64 / 1e6).max(1e-4),
        },
    ];
    let mut locks: Vec<&str> = Vec::new();
    for cell in &report.cells {
        if !locks.contains(&cell.lock) {
            locks.push(cell.lock);
        }
    }
    for panel in &panels {
        document = draw(document, panel, report, &locks);
    }
    for (at, lock) in locks.iter().enumerate() {
        let y = TOP + 20.0 + 18.0 * at as f64;
        let text = Text::new(*lock).set("x", total - 140.0).set("y", y);
        document = document.add(text.set("fill", COLOURS[at % COLOURS.len()]));
    }
    document.to_string()
}

fn draw(mut document: Document, panel: &Panel<'_>, report: &Report, locks: &[&str]) -> Document {
    let right = panel.left + WIDTH;
    let bottom = TOP + HEIGHT;
    let threads = report.cells.iter().map(|cell| f64::from(cell.threads));
    let x = Scale::over(threads, panel.left, right);
    let y = Scale::over(report.cells.iter().map(panel.figure), bottom, TOP);
    let line = |x1: f64, y1: f64, x2: f64, y2: f64, colour: &str| {
        Line::new().set("x1", x1).set("y1", y1).set("x2", x2).set("y2", y2).set("stroke", colour)
    };
    document = document
        .add(Text::new(panel.title).set("x", panel.left).set("y", TOP - 10.0))
        .add(line(panel.left, bottom, right, bottom, "black"))
        .add(line(panel.left, TOP, panel.left, bottom, "black"));
    let mut power = 10_f64.powf(y.least.log10().ceil());
    while power <= y.most {
        let text = Text::new(format!("{power}")).set("text-anchor", "end");
        document = document
            .add(line(panel.left, y.at(power), right, y.at(power), "#dddddd"))
            .add(text.set("x", panel.left - 4.0).set("y", y.at(power) + 4.0));
        power *= 10.0;
    }
    let mut counts: Vec<u32> = report.cells.iter().map(|cell| cell.threads).collect();
    counts.sort_unstable();
    counts.dedup();
    for count in counts {
        let text = Text::new(count.to_string()).set("text-anchor", "middle");
        document = document.add(text.set("x", x.at(count.into())).set("y", bottom + 16.0));
    }
    for (at, lock) in locks.iter().enumerate() {
        let colour = COLOURS[at % COLOURS.len()];
        let cells = report.cells.iter().filter(|cell| cell.lock == *lock);
        let points: Vec<(f64, f64)> =
            cells.map(|cell| (x.at(cell.threads.into()), y.at((panel.figure)(cell)))).collect();
        let path = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect::<Vec<_>>();
        let curve = Polyline::new().set("points", path.join(" ")).set("fill", "none");
        document = document.add(curve.set("stroke", colour).set("stroke-width", 2));
        for (x, y) in points {
            let point = Circle::new().set("cx", x).set("cy", y).set("r", 3);
            document = document.add(point.set("fill", colour));
        }
    }
    document
}
