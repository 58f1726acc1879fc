//! `cargo xtask api`: what the interfaces of others have and ours lack, name by name and signature by
//! signature. Gaps that are meant are listed with their reasons in `gaps.txt`; any other is an error, and
//! so is a listed gap that is none.
//!
//! Names and signatures of std are compared by a test; here the test is searched for every name in std's
//! sources.

mod doc;
mod gaps;
mod render;
mod std_source;
mod surface;

use std::{collections::HashSet, fs};

use crate::{
    compat,
    shell::{Outcome, root, target},
};
use doc::{Docs, Source};
use surface::Surface;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print the gaps that are known too, with their reasons
    #[arg(long)]
    known: bool,
}

impl Args {
    /// Only what is new.
    pub(crate) fn news() -> Args {
        Args { known: false }
    }
}

/// Whose interface is held against whose.
struct Comparison {
    /// As `gaps.txt` calls it.
    name: &'static str,
    ours: Side,
    theirs: Side,
}

/// A package and the version of `lock_api` that its interface speaks of.
struct Side {
    package: Source,
    lock_api: &'static str,
}

const PARKADE: Source =
    Source::Workspace { package: "parkade", features: "arc_lock owning_ref send_guard serde" };

const fn ours(package: Source, lock_api: &'static str) -> Side {
    Side { package, lock_api }
}

const fn theirs(package: &'static str, lock_api: &'static str) -> Side {
    Side { package: Source::Registry(package), lock_api }
}

const fn stand_in(package: &'static str, features: &'static str) -> Source {
    Source::Compat { package, features }
}

const LOCK_FEATURES: &str = "arc_lock deadlock_detection owning_ref serde";

const COMPARISONS: &[Comparison] = &[
    Comparison {
        name: "compat 0.12",
        ours: ours(stand_in("parking_lot-0.12", LOCK_FEATURES), "lock_api@0.4.14"),
        theirs: theirs("parking_lot@0.12.5", "lock_api@0.4.14"),
    },
    Comparison {
        name: "compat 0.13",
        ours: ours(stand_in("parking_lot-0.13", LOCK_FEATURES), "lock_api@0.5.0"),
        theirs: theirs("parking_lot@0.13.0", "lock_api@0.5.0"),
    },
    Comparison {
        name: "compat core 0.9",
        ours: ours(stand_in("parking_lot_core-0.9", "deadlock_detection"), "lock_api@0.5.0"),
        theirs: theirs("parking_lot_core@0.9.12", "lock_api@0.5.0"),
    },
    Comparison {
        name: "compat core 0.10",
        ours: ours(stand_in("parking_lot_core-0.10", "deadlock_detection"), "lock_api@0.5.0"),
        theirs: theirs("parking_lot_core@0.10.0", "lock_api@0.5.0"),
    },
    Comparison {
        name: "parkade 0.12",
        ours: ours(PARKADE, "lock_api@0.5.0"),
        theirs: theirs("parking_lot@0.12.5", "lock_api@0.4.14"),
    },
    Comparison {
        name: "parkade 0.13",
        ours: ours(PARKADE, "lock_api@0.5.0"),
        theirs: theirs("parking_lot@0.13.0", "lock_api@0.5.0"),
    },
];

/// The originals, for cargo to build in a package of its own.
const THEIRS: &str = r#"[package]
name = "theirs"
edition = "2024"

[dependencies]
lock_api_04 = { package = "lock_api", version = "=0.4.14" }
lock_api_05 = { package = "lock_api", version = "=0.5.0" }
parking_lot_012 = { package = "parking_lot", version = "=0.12.5", features = ["arc_lock", "deadlock_detection", "owning_ref", "serde"] }
parking_lot_013 = { package = "parking_lot", version = "=0.13.0", features = ["arc_lock", "deadlock_detection", "owning_ref", "serde"] }

[workspace]
"#;

pub(crate) fn run(args: &Args) -> Outcome {
    let folder = target().join("api");
    fs::create_dir_all(folder.join("src")).map_err(|error| format!("{folder:?}: {error}"))?;
    for (file, text) in [("Cargo.toml", THEIRS), ("src/lib.rs", "")] {
        fs::write(folder.join(file), text).map_err(|error| format!("{file}: {error}"))?;
    }
    let mut docs = Docs::new(folder);
    let mut known = gaps::read(&root().join("xtask/src/api/gaps.txt"))?;
    let mut news = 0;
    for comparison in COMPARISONS {
        let theirs = surface(&mut docs, &comparison.theirs)?;
        let ours = surface(&mut docs, &comparison.ours)?;
        let missing = theirs.not_in(&ours);
        println!("{}: {} names, {} gaps", comparison.name, theirs.len(), missing.len());
        for gap in missing {
            match known.reason(comparison.name, &gap.key) {
                Some(reason) if args.known => println!("  known: {gap}\n    because {reason}"),
                Some(_) => {}
                None => {
                    news += 1;
                    println!("  NEW: {gap}");
                }
            }
        }
    }
    news += unmentioned(&mut known, args)?;
    let stale: Vec<_> = known.unused().collect();
    if news > 0 {
        return Err(format!("{news} gaps that xtask/src/api/gaps.txt does not explain"));
    }
    if !stale.is_empty() {
        return Err(format!("gaps.txt lists what is no gap: {}", stale.join(", ")));
    }
    Ok(())
}

/// How many of std's names are neither in the test that compares them nor known to be missing.
fn unmentioned(known: &mut gaps::List, args: &Args) -> Outcome<usize> {
    const TEST: &str = "crates/parkade/tests/std_names/names.rs";
    let test = fs::read_to_string(root().join(TEST)).map_err(|error| format!("{TEST}: {error}"))?;
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let words: HashSet<_> = test.split(|c| !is_part(c)).collect();
    let names = std_source::names()?;
    let missing: Vec<_> = names.iter().filter(|name| !words.contains(name.as_str())).collect();
    println!("poison std: {} names, {} gaps", names.len(), missing.len());
    let mut news = 0;
    for name in missing {
        match known.reason("poison std", name) {
            Some(reason) if args.known => println!("  known: {name}\n    because {reason}"),
            Some(_) => {}
            None => {
                news += 1;
                println!("  NEW: {name}");
            }
        }
    }
    Ok(news)
}

fn surface(docs: &mut Docs, side: &Side) -> Outcome<Surface> {
    let mut crates = vec![docs.of(side.package)?, docs.of(Source::Registry(side.lock_api))?];
    if let Source::Compat { .. } = side.package {
        let core = match side.lock_api {
            "lock_api@0.4.14" => "parking_lot_core-0.9",
            _ => "parking_lot_core-0.10",
        };
        for source in [
            PARKADE,
            Source::Workspace { package: "parkade-core", features: "" },
            stand_in(core, "deadlock_detection"),
            stand_in("parking_lot_core-0.10", "deadlock_detection"),
        ] {
            crates.push(docs.of(source)?);
        }
    } else {
        for core in ["parking_lot_core@0.9.12", "parking_lot_core@0.10.0"] {
            crates.push(docs.of(Source::Registry(core))?);
        }
    }
    Surface::of(&crates)
}

/// The package in this folder of compat/.
fn stand_in_for(folder: &str) -> Outcome<&'static compat::Package> {
    let package = compat::PACKAGES.iter().find(|package| package.folder == folder);
    package.ok_or_else(|| format!("compat/ has no package {folder}"))
}
