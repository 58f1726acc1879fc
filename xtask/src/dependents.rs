//! `cargo xtask dependents`: the published tests of crates that use parking_lot, with ours in its place.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;

use crate::{
    compat::PACKAGES,
    shell::{End, Outcome, cargo, output, run_within, target},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only this crate; may be given several times
    #[arg(long, value_name = "CRATE@VERSION")]
    only: Vec<String>,
    /// List the crates and stop
    #[arg(long)]
    list: bool,
}

impl Args {
    /// The one that takes the least time.
    pub(crate) fn quickest() -> Args {
        Args { only: vec![DEPENDENTS[0].spec()], list: false }
    }
}

/// A crate whose tests are run.
#[derive(Debug)]
struct Dependent {
    name: &'static str,
    version: &'static str,
    features: &'static str,
    /// What it takes from parking_lot.
    uses: &'static str,
    /// Arguments for `cargo test`.
    args: &'static [&'static str],
}

const DEPENDENTS: &[Dependent] = &[
    Dependent {
        name: "once_cell",
        version: "1.21.4",
        features: "parking_lot",
        uses: "parking_lot_core 0.9: park, unpark_all",
        args: &[],
    },
    Dependent {
        name: "dashmap",
        version: "6.1.0",
        features: "",
        uses: "parking_lot_core 0.9, for reader-writer locks of its own",
        args: &[],
    },
    Dependent {
        name: "parking_lot",
        version: "0.12.5",
        features: "arc_lock serde",
        uses: "parking_lot_core 0.9: all of it",
        args: &[],
    },
    Dependent {
        name: "parking_lot",
        version: "0.13.0",
        features: "arc_lock serde",
        uses: "parking_lot_core 0.10: all of it",
        args: &[],
    },
    Dependent {
        name: "scheduled-thread-pool",
        version: "0.2.7",
        features: "",
        uses: "parking_lot 0.12: Condvar with timeouts",
        args: &[],
    },
    Dependent {
        name: "tokio",
        version: "1.54.1",
        features: "full parking_lot test-util",
        uses: "parking_lot 0.12: Mutex, RwLock, Condvar in the scheduler",
        args: &[
            "--test=rt_basic",
            "--test=rt_common",
            "--test=rt_threaded",
            "--test=sync_*",
            "--test=task_*",
            "--test=time_*",
        ],
    },
];

/// Longer than any of them takes to build and run.
const LIMIT: Duration = Duration::from_secs(20 * 60);

impl Dependent {
    fn spec(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }
}

pub(crate) fn run(args: &Args) -> Outcome {
    if args.list {
        for dependent in DEPENDENTS {
            println!("{}: {}", dependent.spec(), dependent.uses);
        }
        return Ok(());
    }
    if let Some(spec) = args.only.iter().find(|spec| DEPENDENTS.iter().all(|d| d.spec() != **spec))
    {
        return Err(format!("no crate {spec} here; --list shows them"));
    }
    let chosen =
        |dependent: &&Dependent| args.only.is_empty() || args.only.contains(&dependent.spec());
    let mut failed = Vec::new();
    for dependent in DEPENDENTS.iter().filter(chosen) {
        println!("\n--- {}: {}", dependent.spec(), dependent.uses);
        if let Err(error) = test(dependent) {
            println!("error: {error}");
            failed.push(dependent.spec());
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", "))) }
}

fn test(dependent: &Dependent) -> Outcome {
    let folder = unpack(dependent)?;
    let mut test = cargo(["test", "--quiet", "--no-fail-fast", "--features", dependent.features]);
    test.args(dependent.args).current_dir(&folder);
    test.env("CARGO_TARGET_DIR", target().join("dependents").join("target"));
    match run_within(&mut test, LIMIT)? {
        End::Success => uses_ours(&folder, dependent.features),
        End::Failure => Err("its tests fail".to_owned()),
        End::Timeout => Err(format!("its tests take more than {} s", LIMIT.as_secs())),
    }
}

/// Puts the crate's sources, as published, into a folder of their own, with our packages for parking_lot's.
fn unpack(dependent: &Dependent) -> Outcome<PathBuf> {
    let source = published(dependent.name, dependent.version)?;
    let folder = target().join("dependents").join(dependent.spec());
    let _ = fs::remove_dir_all(&folder);
    copy(&source, &folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    // They would pin the originals, and another toolchain.
    for file in ["Cargo.lock", "rust-toolchain.toml", "rust-toolchain"] {
        let _ = fs::remove_file(folder.join(file));
    }
    let manifest = folder.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).map_err(|error| error.to_string())?;
    fs::write(&manifest, text + &patches(dependent.name)).map_err(|error| error.to_string())?;
    Ok(folder)
}

/// What is added to a manifest. A crate that its own tests' dependencies use must be the one under test.
fn patches(name: &str) -> String {
    let ours = PACKAGES.iter().filter(|package| package.name() != name).enumerate();
    let ours = ours.map(|(index, package)| {
        format!("ours{index} = {{ package = {:?}, path = {:?} }}\n", package.name(), package.path())
    });
    format!(
        "\n[workspace]\n\n[patch.crates-io]\n{name} = {{ path = \".\" }}\n{}",
        ours.collect::<String>()
    )
}

/// Where cargo has put a crate's sources.
pub(crate) fn published(name: &str, version: &str) -> Outcome<PathBuf> {
    let folder = target().join("dependents").join(format!("fetch-{name}@{version}"));
    fs::create_dir_all(folder.join("src")).map_err(|error| error.to_string())?;
    let manifest = format!(
        "[package]\nname = \"fetch\"\nedition = \"2024\"\n\n[dependencies]\n\
         {name} = \"={version}\"\n\n[workspace]\n"
    );
    for (file, text) in [("Cargo.toml", manifest.as_str()), ("src/lib.rs", "")] {
        fs::write(folder.join(file), text).map_err(|error| format!("{file}: {error}"))?;
    }
    let mut metadata = cargo(["metadata", "--format-version", "1"]);
    let metadata = output(metadata.current_dir(&folder))?;
    let metadata: Value = serde_json::from_str(&metadata).map_err(|error| error.to_string())?;
    let mut packages = metadata["packages"].as_array().into_iter().flatten();
    let package = packages.find(|it| it["name"] == name && it["version"] == version);
    let manifest = package.and_then(|package| package["manifest_path"].as_str());
    let folder = manifest.and_then(|manifest| Path::new(manifest).parent());
    folder.map(Path::to_owned).ok_or_else(|| format!("cargo has not fetched {name}@{version}"))
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

/// That what was tested was built on our packages, and on no original.
fn uses_ours(folder: &Path, features: &str) -> Outcome {
    let mut metadata = cargo(["metadata", "--format-version", "1", "--features", features]);
    let metadata = output(metadata.current_dir(folder))?;
    let metadata: Value = serde_json::from_str(&metadata).map_err(|error| error.to_string())?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let of_names = packages.filter(|package| PACKAGES.iter().any(|p| package["name"] == p.name()));
    let (originals, ours): (Vec<_>, Vec<_>) =
        of_names.partition(|package| !package["source"].is_null());
    if !originals.is_empty() {
        return Err("an original of parking_lot was built in".to_owned());
    }
    let ours = ours.iter().filter(|package| {
        let version = package["version"].as_str();
        version.is_some_and(|version| version.ends_with(".99"))
    });
    if ours.count() == 0 { Err("nothing of ours was built in".to_owned()) } else { Ok(()) }
}
