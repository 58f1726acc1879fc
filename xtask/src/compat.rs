//! `cargo xtask compat`: the packages that stand in for `parking_lot` and `parking_lot_core`. Each is a
//! workspace of its own, since packages of one name cannot share one.

use std::{fs, path::PathBuf, process::Command};

use crate::shell::{Outcome, cargo, root, run as run_command, target};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only this package (a folder of compat/); may be given several times
    #[arg(long, value_name = "PACKAGE")]
    only: Vec<String>,
}

impl Args {
    /// Every package.
    pub(crate) fn all() -> Args {
        Args { only: Vec::new() }
    }
}

/// A package that is named as another, whose place it takes.
#[derive(Debug)]
pub(crate) struct Package {
    /// Its folder in compat/.
    pub(crate) folder: &'static str,
    /// The sets of features it is tested with. (`nightly` is left out: `lock_api` needs a nightly for it.)
    features: &'static [&'static str],
}

pub(crate) const PACKAGES: &[Package] = &[
    Package { folder: "parking_lot_core-0.9", features: &["deadlock_detection"] },
    Package { folder: "parking_lot_core-0.10", features: &["deadlock_detection"] },
    Package {
        folder: "parking_lot-0.12",
        features: &[
            "",
            "arc_lock deadlock_detection hardware-lock-elision owning_ref send_guard serde",
        ],
    },
    Package {
        folder: "parking_lot-0.13",
        features: &["", "arc_lock deadlock_detection owning_ref send_guard serde"],
    },
];

impl Package {
    /// Whose name it has.
    pub(crate) fn name(&self) -> &'static str {
        self.folder.split_once('-').map_or(self.folder, |(name, _)| name)
    }

    pub(crate) fn path(&self) -> PathBuf {
        root().join("compat").join(self.folder)
    }

    fn cargo<const N: usize>(&self, args: [&str; N]) -> Command {
        let mut cargo = cargo(args);
        cargo.current_dir(self.path()).env("CARGO_TARGET_DIR", target());
        cargo
    }
}

pub(crate) fn run(args: &Args) -> Outcome {
    if let Some(name) = args.only.iter().find(|name| PACKAGES.iter().all(|p| p.folder != **name)) {
        return Err(format!("compat/ has no package {name}"));
    }
    let lints = lints()?;
    let chosen = |package: &&Package| {
        args.only.is_empty() || args.only.iter().any(|name| name == package.folder)
    };
    for package in PACKAGES.iter().filter(chosen) {
        run_command(&mut package.cargo(["fmt", "--check"]))?;
        for features in package.features {
            let args = ["clippy", "--quiet", "--all-targets", "--features", features, "--"];
            run_command(package.cargo(args).args(["-D", "warnings"]).args(&lints))?;
            let args = ["test", "--quiet", "--no-fail-fast", "--features", features];
            run_command(&mut package.cargo(args))?;
        }
        let features = package.features.last().unwrap_or(&"");
        let mut doc = package.cargo(["doc", "--quiet", "--no-deps", "--features", features]);
        run_command(doc.env("RUSTDOCFLAGS", "-Dwarnings"))?;
    }
    Ok(())
}

/// The lints of the workspace, which its guests cannot inherit, as arguments for clippy.
fn lints() -> Outcome<Vec<String>> {
    let manifest = root().join("Cargo.toml");
    let text = fs::read_to_string(&manifest)
        .map_err(|error| format!("{}: {error}", manifest.display()))?;
    let lints = lints_of(&text);
    if lints.is_empty() { Err("Cargo.toml denies no lints".to_owned()) } else { Ok(lints) }
}

fn lints_of(manifest: &str) -> Vec<String> {
    let mut prefix = None;
    let mut lints = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            prefix = match line {
                "[workspace.lints.rust]" => Some(""),
                "[workspace.lints.clippy]" => Some("clippy::"),
                _ => None,
            };
        } else if let (Some(prefix), Some((name, "\"deny\""))) = (prefix, line.split_once(" = ")) {
            lints.extend(["-D".to_owned(), format!("{prefix}{name}")]);
        }
    }
    lints
}

#[cfg(test)]
mod tests {
    use super::lints_of;

    #[test]
    fn lints_are_read_from_their_sections_only() {
        let manifest = "[workspace.lints.rust]\nmissing_docs = \"deny\"\nx = \"warn\"\n\
                        [workspace.lints.clippy]\nall = { level = \"deny\" }\ny = \"deny\"\n\
                        [profile]\nz = \"deny\"\n";
        assert_eq!(lints_of(manifest), ["-D", "missing_docs", "-D", "clippy::y"]);
    }
}
