//! Throughput against the longest wait in one scenario, with the processor time per operation as
//! the size of the marks.

use parkade_bench::report::ScenarioReport;
use parkade_bench::stats::{CellSummary, ScenarioSummary, WaitSummary};
use svg::Document;
use svg::node::element::{Circle, Group, Rectangle};

use super::labels::{self, Area, Spot};
use super::scale::{Kind, Scale};
use super::{Axis, BOTTOM, HEIGHT, LEFT, Looks, RIGHT, TOP, WIDTH};
use super::{canvas, curve, frame, line, mark, text};
use crate::bench::format::{duration, rate, ratio};

const RATIO: Axis =
    Axis { title: "throughput, the best rival's = 1", kind: Kind::Log, write: ratio };
const RATE: Axis = Axis { title: "operations per second", kind: Kind::Log, write: rate };
const LONGEST: Axis = Axis { title: "longest wait", kind: Kind::Log, write: milliseconds };
const WRITERS_LONGEST: Axis = Axis { title: "longest wait of writers", ..LONGEST };

/// Locks with less of the best rival's throughput than this stand at the left edge, with their
/// figure: one that is a hundred times slower would press the others together.
const LEAST_RATIO: f64 = 0.2;

/// Marks grow no more beyond so many times the least processor time per operation.
const MOST_CPU: f64 = 8.0;

/// The reach of a mark of size 1.
const REACH: f64 = 6.0;

/// Between the frame and the middles of the outermost marks.
const PAD: f64 = 8.0;

/// Where the marks are.
const PLOT: Area = Area {
    x: (LEFT + WIDTH - RIGHT) / 2.0,
    y: (TOP + HEIGHT - BOTTOM) / 2.0,
    half_width: (WIDTH - RIGHT - LEFT) / 2.0,
    half_height: (HEIGHT - BOTTOM - TOP) / 2.0,
};

fn milliseconds(ns: f64) -> String {
    let text = format!("{:.4}", ns / 1e6);
    format!("{} ms", text.trim_end_matches('0').trim_end_matches('.'))
}

/// How many times as wide as in the legend a mark is, when an operation costs `times` the processor
/// time of the thriftiest lock's. Its area is in proportion to that.
fn size(times: f64) -> f64 {
    0.8 * times.clamp(1.0, MOST_CPU).sqrt()
}

/// One scenario with several threads.
#[derive(Debug)]
pub(crate) struct Panel<'a> {
    pub(crate) scenario: &'a ScenarioReport,
    looks: &'a Looks,
    points: Vec<Point<'a>>,
    /// The mark of throughput and the wait of the fairest rival.
    goal: (Option<f64>, Option<f64>),
    /// Waits below this are not told apart.
    resolution: f64,
    x: Axis,
    y: Axis,
}

#[derive(Debug)]
struct Point<'a> {
    cell: &'a CellSummary,
    waits: WaitSummary,
    throughput: f64,
    /// Processor time per operation, to the least in the panel.
    cpu: f64,
}

impl<'a> Panel<'a> {
    /// `None` for a scenario in which nobody waits for anybody.
    pub(crate) fn new(
        scenario: &'a ScenarioReport,
        summary: &'a ScenarioSummary,
        looks: &'a Looks,
    ) -> Option<Panel<'a>> {
        let relative = summary.cells.iter().all(|cell| cell.ratios.throughput.is_some());
        let costs = || summary.cells.iter().filter_map(|cell| cell.cpu_ns);
        let least_cpu = costs().min_by(f64::total_cmp).unwrap_or(1.0).max(f64::MIN_POSITIVE);
        let point = |cell: &'a CellSummary| {
            let throughput = if relative { cell.ratios.throughput? } else { cell.ops_per_sec };
            let cpu = cell.cpu_ns.unwrap_or(least_cpu) / least_cpu;
            Some(Point { cell, waits: cell.compared_waits()?, throughput, cpu })
        };
        let points: Vec<Point<'a>> = summary.cells.iter().filter_map(point).collect();
        let resolution = points.iter().map(|point| point.waits.resolution).fold(0.0, f64::max);
        let throughput = relative.then(|| scenario.mark.map_or(1.0, |mark| mark.throughput));
        let fairest = summary.fairest_rival.and_then(|rival| summary.cell(rival)?.compared_waits());
        let writers = points.iter().any(|point| point.cell.sides.write.is_some());
        (scenario.threads > 1 && !points.is_empty()).then_some(Panel {
            scenario,
            looks,
            points,
            goal: (throughput, fairest.map(|waits| waits.max.max(waits.resolution))),
            resolution,
            x: if relative { RATIO } else { RATE },
            y: if writers { WRITERS_LONGEST } else { LONGEST },
        })
    }

    /// The panel as a picture of its own.
    pub(crate) fn document(&self) -> Document {
        canvas(WIDTH, HEIGHT).add(self.draw())
    }

    /// The panel as a part of a picture, [`WIDTH`] by [`HEIGHT`].
    pub(crate) fn draw(&self) -> Group {
        let relative = self.goal.0.is_some();
        let floor = if relative { LEAST_RATIO } else { 0.0 };
        let shown = self.points.iter().map(|point| point.throughput.max(floor));
        let across =
            Scale::new(self.x.kind, shown.chain(self.goal.0), LEFT + PAD, WIDTH - RIGHT - PAD);
        let waits = self.points.iter().map(|point| point.waits.max.max(1.0));
        let up =
            Scale::new(self.y.kind, waits.chain(self.goal.1), HEIGHT - BOTTOM - PAD, TOP + PAD);
        let mut group = Group::new().set("class", "sized");
        if self.resolution > 0.0 {
            group = group.add(band(up.at(self.resolution)));
        }
        let ticks = across.ticks();
        group = group.add(frame((self.x, &across, &ticks), (self.y, &up)));
        let mut lines = Vec::new();
        if let Some(throughput) = self.goal.0 {
            let x = across.at(throughput);
            group = group.add(line((x, TOP), (x, HEIGHT - BOTTOM), "reference"));
            lines.push(Area { x, half_width: 1.0, ..PLOT });
        }
        if let Some(wait) = self.goal.1 {
            let y = up.at(wait);
            group = group.add(line((LEFT, y), (WIDTH - RIGHT, y), "reference"));
            lines.push(Area { y, half_height: 1.0, ..PLOT });
        }
        let spots: Vec<Spot> = self
            .points
            .iter()
            .map(|point| {
                let beyond = point.throughput < floor;
                let short = &self.looks.get(&point.cell.subject).short;
                let radius = REACH * size(point.cpu);
                Spot {
                    x: if beyond { LEFT + radius } else { across.at(point.throughput) },
                    y: up.at(point.waits.max),
                    radius,
                    name: if beyond {
                        format!("\u{25c2} {short} {}", ratio(point.throughput))
                    } else {
                        short.clone()
                    },
                }
            })
            .collect();
        group.add(self.trail(&spots)).add(self.marks(&spots)).add(names(&spots, &lines))
    }

    /// A line through the values of a single swept setting, in their order.
    fn trail(&self, spots: &[Spot]) -> Group {
        let swept = self.points.iter().zip(spots);
        let places: Vec<(f64, f64)> = swept
            .filter(|(point, _)| point.cell.subject.tuning().len() == 1)
            .map(|(_, spot)| (spot.x, spot.y))
            .collect();
        if places.len() < 2 { Group::new() } else { Group::new().add(curve(&places, "trail")) }
    }

    /// The marks, large ones below small ones.
    fn marks(&self, spots: &[Spot]) -> Group {
        let mut order: Vec<(&Point<'_>, &Spot)> = self.points.iter().zip(spots).collect();
        order.sort_by(|a, b| b.1.radius.total_cmp(&a.1.radius));
        order.into_iter().fold(Group::new(), |group, (point, spot)| {
            let look = self.looks.get(&point.cell.subject);
            let mut tip = format!(
                "{}: {}, {} {}",
                look.name,
                (self.x.write)(point.throughput),
                self.y.title,
                duration(point.waits.max),
            );
            if let Some(cpu) = point.cell.cpu_ns {
                tip.push_str(&format!(", {} of processor time per operation", duration(cpu)));
            }
            let mut mark = mark(look, (spot.x, spot.y), size(point.cpu), &tip);
            if point.cell.starves_hog {
                mark = mark.set("class", "aside");
            }
            group.add(mark)
        })
    }
}

/// Marks the waits that are too short to be told apart.
fn band(top: f64) -> Rectangle {
    Rectangle::new()
        .set("class", "band")
        .set("x", LEFT)
        .set("y", format!("{top:.1}"))
        .set("width", WIDTH - RIGHT - LEFT)
        .set("height", format!("{:.1}", HEIGHT - BOTTOM - top))
}

fn names(spots: &[Spot], lines: &[Area]) -> Group {
    let places = labels::place(spots, Area { half_width: PLOT.half_width + 12.0, ..PLOT }, lines);
    spots.iter().zip(places).fold(Group::new(), |mut group, (spot, place)| {
        if let Some(end) = place.leader {
            group = group.add(line((spot.x, spot.y), end, "leader"));
        }
        group.add(text(place.x, place.y + 3.5, "middle", &spot.name).set("class", "name"))
    })
}

/// What the size of a mark says: 300 by 28.
pub(crate) fn size_key() -> Group {
    let mut group = Group::new().add(text(0.0, 18.0, "start", "cpu/op, to the least:"));
    let mut x = 126.0;
    for times in [1.0, 2.0, 4.0, MOST_CPU] {
        let radius = 4.5 * size(times);
        let label =
            if times < MOST_CPU { format!("{times}x") } else { format!("{times}x or more") };
        let circle = Circle::new()
            .set("class", "key")
            .set("cx", format!("{:.1}", x + radius))
            .set("cy", 14)
            .set("r", format!("{radius:.1}"));
        let after = x + 2.0 * radius + 4.0;
        group = group.add(circle).add(text(after, 18.0, "start", &label));
        x = after + labels::extent(&label).0 + 8.0;
    }
    group
}
