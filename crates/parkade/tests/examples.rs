//! Evidence that every example of the folder runs and prints exactly what its own text says.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

/// The text between "Prints:" and the end of its block in the doc comment of an example.
fn promised_output(source: &str) -> Option<String> {
    let docs = source.lines().map_while(|line| line.strip_prefix("//!"));
    let block = docs
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .skip_while(|line| *line != "Prints:")
        .skip(2)
        .take_while(|line| *line != "```");
    let output: String = block.flat_map(|line| [line, "\n"]).collect();
    (!output.is_empty()).then_some(output)
}

/// The features of this build, so that the examples are not compiled a second time without them.
fn features() -> String {
    let on = [
        ("arc_lock", cfg!(feature = "arc_lock")),
        ("loom", cfg!(feature = "loom")),
        ("owning_ref", cfg!(feature = "owning_ref")),
        ("serde", cfg!(feature = "serde")),
        ("send_guard", cfg!(feature = "send_guard")),
    ];
    let on: Vec<_> = on.into_iter().filter(|(_, on)| *on).map(|(name, _)| name).collect();
    on.join(",")
}

#[test]
#[ignore = "it builds them; `cargo xtask ci --only examples` runs it"]
fn every_example_prints_what_it_promises() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut seen = BTreeSet::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        assert!(path.extension().is_some_and(|e| e == "rs"), "{path:?} is not an example file");
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let promised = promised_output(&fs::read_to_string(&path).unwrap());
        let promised = promised.unwrap_or_else(|| {
            panic!("{name}: the doc comment must say `Prints:` and show the output in a block")
        });

        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
        cargo.args(["run", "-q", "-p", "parkade", "--example", &name, "--features", &features()]);
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        let output = cargo.output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name} failed: {}\n{stderr}", output.status);
        assert_eq!(String::from_utf8_lossy(&output.stdout), promised, "stdout of {name}");
        seen.insert(name);
    }
    for name in [
        "async_and_sync",
        "bounded_parallelism",
        "bounded_queue",
        "build_your_own_lock",
        "config_reload",
        "connection_pool",
        "fine_grained",
        "per_user_counter",
        "session_cache",
        "session_store",
        "shared_counter",
        "timeout_telemetry",
        "tokio_service",
        "transfer",
        "try_lock",
        "upgrade_cache",
    ] {
        assert!(seen.contains(name), "{name} is gone");
    }
}
