//! What each lock looks like, the same in all pictures of a report.

use std::fmt::Write;

use parkade_bench::report::{Report, SubjectVersion};
use parkade_bench::subject::SubjectId;
use parkade_bench::variant::Variant;

use crate::bench::table::label;

/// A lock's mark, its colour, and what it is called.
#[derive(Debug, Clone)]
pub(crate) struct Look {
    /// The classes of everything that has the lock's colour.
    pub(crate) class: String,
    /// The name with the version.
    pub(crate) name: String,
    /// A name short enough to stand beside a mark.
    pub(crate) short: String,
    /// The mark's path around (0, 0), at most 13 wide: it tells the lock where colours do not.
    pub(super) shape: &'static str,
}

/// The looks of all locks of a report.
#[derive(Debug)]
pub(crate) struct Looks {
    looks: Vec<(Variant, Look)>,
    /// How many of Parkade's have settings of their own.
    swept: usize,
}

impl Looks {
    /// The looks of a report's locks.
    pub(crate) fn of(report: &Report) -> Looks {
        let mut swept = 0;
        let look = |SubjectVersion { name, .. }: &SubjectVersion| {
            let mut look = look(report, name);
            if !name.tuning().is_empty() {
                look.class = format!("v{swept} ours");
                swept += 1;
            }
            (name.clone(), look)
        };
        let looks = report.subjects.iter().map(look).collect();
        Looks { looks, swept }
    }

    /// The look of a lock of the report.
    pub(crate) fn get(&self, subject: &Variant) -> &Look {
        let known = self.looks.iter().find(|(known, _)| known == subject);
        &known.expect("every lock of a report is in its list").1
    }

    /// All of them, in the report's order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Look> {
        self.looks.iter().map(|(_, look)| look)
    }

    /// The style of the charts.
    pub(crate) fn css(&self, theme: Theme) -> String {
        let mut rules = String::from(include_str!("style.css"));
        for (name, ..) in LOCKS {
            let _ = writeln!(rules, "svg .{name} {{ color: var(--{name}); }}");
        }
        let swept: Vec<Colour> = (0..self.swept).map(|index| blend(index, self.swept)).collect();
        for (name, ..) in &swept {
            let _ = writeln!(rules, "svg .{name} {{ color: var(--{name}); }}");
        }
        let colours = || PAGE.iter().chain(LOCKS).map(owned).chain(swept.iter().cloned());
        match theme {
            Theme::Variables => {
                let (mut light, mut dark) = (String::new(), String::new());
                for (name, by_day, by_night) in colours() {
                    let _ = write!(light, " --{name}: {by_day};");
                    let _ = write!(dark, " --{name}: {by_night};");
                }
                format!(
                    ":root {{ color-scheme: light dark;{light} }}\n\
                     @media (prefers-color-scheme: dark) {{ :root {{{dark} }} }}\n{rules}"
                )
            }
            Theme::Literal => {
                let (mut light, mut dark) = (rules.clone(), rules);
                for (name, by_day, by_night) in colours() {
                    let variable = format!("var(--{name})");
                    light = light.replace(&variable, &by_day);
                    dark = dark.replace(&variable, &by_night);
                }
                format!("{light}@media (prefers-color-scheme: dark) {{\n{dark}}}\n")
            }
        }
    }
}

/// How a style names its colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Theme {
    /// As variables, which the page's own style uses too.
    Variables,
    /// As they are: few programs that show SVG know variables, except for browsers.
    Literal,
}

/// A name, the colour in the light theme and that in the dark one.
type Colour = (String, String, String);

const PAGE: &[(&str, &str, &str)] = &[
    ("paper", "#ffffff", "#14181d"),
    ("ink", "#1b1f24", "#e6e9ed"),
    ("faint", "#5b6470", "#9aa4b1"),
    ("line", "#d5dae1", "#333b45"),
    ("panel", "#f5f7f9", "#1c2229"),
    ("good", "#15803d", "#4ade80"),
    ("bad", "#b91c1c", "#f87171"),
];

const LOCKS: &[(&str, &str, &str)] = &[
    ("parkade", "#c2410c", "#fb923c"),
    ("std", "#2563eb", "#60a5fa"),
    ("pl12", "#15803d", "#4ade80"),
    ("pl13", "#0e7490", "#22d3ee"),
    ("usync", "#7c3aed", "#c084fc"),
    ("saa", "#a16207", "#facc15"),
    ("sharded", "#be185d", "#f472b6"),
    ("pthread", "#64748b", "#a8b3c1"),
    ("barging", "#9f1239", "#fda4af"),
    ("arc", "#2563eb", "#60a5fa"),
    ("removing", "#0e7490", "#22d3ee"),
    ("lockable", "#15803d", "#4ade80"),
    ("keyedlock", "#7c3aed", "#c084fc"),
    ("dashmap", "#be185d", "#f472b6"),
    ("tokio", "#15803d", "#4ade80"),
    ("asynclock", "#7c3aed", "#c084fc"),
];

fn owned(&(name, light, dark): &(&str, &str, &str)) -> Colour {
    (name.into(), light.into(), dark.into())
}

/// The colour of the swept lock number `index`: the order of the values shows as an order of
/// colours, around Parkade's.
fn blend(index: usize, count: usize) -> Colour {
    let part = if count < 2 { 0.0 } else { index as f64 / (count - 1) as f64 };
    let mix = |from: [u8; 3], to: [u8; 3]| {
        let mut text = String::from("#");
        for (from, to) in from.into_iter().zip(to) {
            let value = f64::from(from) + part * (f64::from(to) - f64::from(from));
            let _ = write!(text, "{:02x}", value.round() as u8);
        }
        text
    };
    let light = mix([0xfb, 0x92, 0x3c], [0x88, 0x13, 0x37]);
    let dark = mix([0xfe, 0xd7, 0xaa], [0xf4, 0x3f, 0x5e]);
    (format!("v{index}"), light, dark)
}

fn look(report: &Report, subject: &Variant) -> Look {
    let (class, shape) = match subject.subject() {
        SubjectId::Parkade => {
            ("parkade ours", "M0-6.5 2 -2 6.5-2 3 1.2 4 6 0 3.2-4 6-3 1.2-6.5-2-2-2Z")
        }
        SubjectId::Std => ("std", "M-4-4H4V4H-4Z"),
        SubjectId::ParkingLot012 => ("pl12", "M0-5 5 4H-5Z"),
        SubjectId::ParkingLot013 => ("pl13 hollow", "M0 5 5-4H-5Z"),
        SubjectId::Usync => ("usync hollow", "M0-5.5 5.5 0 0 5.5-5.5 0Z"),
        SubjectId::Saa => ("saa hollow", "M-4-4 4 4M-4 4 4-4"),
        SubjectId::CrossbeamSharded => ("sharded hollow", "M-5-4H5L0 0 5 4H-5L0 0Z"),
        SubjectId::Pthread => ("pthread hollow", "M-5 0H5M0-5V5"),
        SubjectId::ParkadeBarging => {
            ("barging ours", "M0-6.5 2 -2 6.5-2 3 1.2 4 6 0 3.2-4 6-3 1.2-6.5-2-2-2Z")
        }
        SubjectId::MapOfArc => ("arc", "M-4-4H4V4H-4Z"),
        SubjectId::MapOfArcRemoving => ("removing hollow", "M-4-4H4V4H-4Z"),
        SubjectId::Lockable => ("lockable", "M0-5 5 4H-5Z"),
        SubjectId::KeyedLock => ("keyedlock hollow", "M0-5.5 5.5 0 0 5.5-5.5 0Z"),
        SubjectId::DashMap => ("dashmap hollow", "M-4-4 4 4M-4 4 4-4"),
        SubjectId::Tokio => ("tokio", "M0-5 5 4H-5Z"),
        SubjectId::AsyncLock => ("asynclock hollow", "M0-5.5 5.5 0 0 5.5-5.5 0Z"),
    };
    let values: Vec<String> = subject.tuning().iter().map(|t| t.value().to_string()).collect();
    let short = match subject.subject() {
        // The legend names the settings.
        SubjectId::Parkade if !values.is_empty() => values.join("/"),
        known => known.alias().unwrap_or(known.name()).to_owned(),
    };
    Look { class: class.into(), name: label(report, subject), short, shape }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blends_go_from_end_to_end() {
        assert_eq!(blend(0, 1).1, "#fb923c");
        assert_eq!(blend(0, 3).1, "#fb923c");
        assert_eq!(blend(2, 3), ("v2".into(), "#881337".into(), "#f43f5e".into()));
        assert_ne!(blend(1, 3), blend(2, 3));
    }

    #[test]
    fn every_colour_of_the_style_exists_in_both_themes() {
        let css = Looks { looks: Vec::new(), swept: 2 }.css(Theme::Literal);
        assert!(!css.contains("var("), "{css}");
        for (name, light, dark) in PAGE.iter().chain(LOCKS) {
            assert_ne!(light, dark, "{name}");
        }
        let by_name = Looks { looks: Vec::new(), swept: 2 }.css(Theme::Variables);
        assert!(by_name.contains("--v1: #881337"), "{by_name}");
    }
}
