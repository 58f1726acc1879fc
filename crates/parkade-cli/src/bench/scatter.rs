//! `--scatter`: throughput against the longest wait, a panel for each scenario, in one picture.

use parkade_bench::report::Report;
use parkade_bench::stats::ScenarioSummary;
use svg::node::element::{Group, Rectangle, Style};

use super::chart::{HEIGHT, Looks, Panel, Theme, WIDTH, canvas, mark, size_key, text};
use super::table::heading;

/// What the pictures show; for the page as for the picture alone.
pub(super) const HOW_TO_READ: &str = "Right is faster, down is fairer: Parkade should stand right \
    of and below the dashed lines, which are the mark of throughput and the fairest rival's \
    longest wait. Waits in the grey band are too short to be told apart. The larger a mark, the \
    more processor time an operation takes; faint marks starve the hog. Medians of rounds.";

const MARGIN: f64 = 20.0;
const GAP: f64 = 14.0;
const COLUMNS: usize = 3;
/// The scenario's name and what its threads do, above the panel.
const TITLE: f64 = 40.0;
/// Letters that fit into a panel's width.
const LETTERS: usize = 62;
const LINE: f64 = 16.0;

/// The picture; it follows the reader's light or dark theme.
pub(super) fn render(report: &Report) -> String {
    let looks = Looks::of(report);
    let summaries: Vec<ScenarioSummary> =
        report.scenarios.iter().map(ScenarioSummary::of).collect();
    let panels: Vec<Panel<'_>> = report
        .scenarios
        .iter()
        .zip(&summaries)
        .filter_map(|(scenario, summary)| Panel::new(scenario, summary, &looks))
        .collect();
    let columns = panels.len().clamp(2, COLUMNS);
    let width = 2.0 * MARGIN + columns as f64 * (WIDTH + GAP) - GAP;
    let (head, top) = head(report, &looks, width);
    let rows = panels.len().div_ceil(columns);
    let height = top + rows as f64 * (TITLE + HEIGHT + GAP) + MARGIN - GAP;
    let paper = Rectangle::new()
        .set("class", "paper")
        .set("width", format!("{width:.0}"))
        .set("height", format!("{height:.0}"));
    let mut document = canvas(width, height)
        .set("width", format!("{width:.0}"))
        .set("height", format!("{height:.0}"))
        .add(Style::new(looks.css(Theme::Literal)))
        .add(paper)
        .add(head);
    for (index, panel) in panels.iter().enumerate() {
        let x = MARGIN + (index % columns) as f64 * (WIDTH + GAP);
        let y = top + (index / columns) as f64 * (TITLE + HEIGHT + GAP);
        document = document.add(titled(panel).set("transform", format!("translate({x} {y})")));
    }
    document.to_string() + "\n"
}

fn titled(panel: &Panel<'_>) -> Group {
    let plate = Rectangle::new()
        .set("class", "plate")
        .set("width", WIDTH)
        .set("height", TITLE + HEIGHT)
        .set("rx", 6);
    let scenario = panel.scenario;
    let mut group = Group::new()
        .add(plate)
        .add(text(12.0, 18.0, "start", &scenario.name).set("class", "heading"));
    for (row, words) in wrap(&scenario.description, LETTERS).iter().enumerate() {
        group = group.add(text(12.0, 33.0 + 13.0 * row as f64, "start", words));
    }
    group.add(panel.draw().set("transform", format!("translate(0 {TITLE})")))
}

/// Title, machine and legend, and where they end.
fn head(report: &Report, looks: &Looks, width: f64) -> (Group, f64) {
    let title = text(MARGIN, MARGIN + 16.0, "start", "Throughput and longest wait");
    let mut group = Group::new().add(title.set("class", "title"));
    let mut y = MARGIN + 38.0;
    let room = ((width - 2.0 * MARGIN) / 6.2) as usize;
    for paragraph in [heading(report).trim(), HOW_TO_READ] {
        for words in wrap(paragraph, room) {
            group = group.add(text(MARGIN, y, "start", &words));
            y += LINE;
        }
    }
    let mut x = MARGIN;
    y += 8.0;
    for look in looks.iter() {
        let wide = 20.0 + 6.6 * look.name.chars().count() as f64 + 14.0;
        if x + wide > width - MARGIN {
            (x, y) = (MARGIN, y + 20.0);
        }
        group = group
            .add(mark(look, (x + 7.0, y - 4.0), 1.0, &look.name))
            .add(text(x + 20.0, y, "start", &look.name).set("class", "value"));
        x += wide;
    }
    y += 8.0;
    group = group.add(size_key().set("transform", format!("translate({MARGIN} {y})")));
    (group, y + 28.0 + GAP)
}

/// Lines of at most `letters` letters, broken between words.
fn wrap(paragraph: &str, letters: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in paragraph.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= letters => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn lines_are_broken_between_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("incomprehensible", 3), ["incomprehensible"]);
        assert!(wrap("  ", 3).is_empty());
    }
}
