//! `cargo xtask originals`: the unit tests that parking_lot is published with, over the packages that stand in for
//! it. They are taken from the registry when the task runs; nothing of them is kept here.

use std::{fs, path::Path};

use crate::{
    compat::PACKAGES,
    dependents::published,
    shell::{Outcome, cargo, root, run as run_command, target},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Run only tests whose name contains this
    #[arg(default_value = "")]
    filter: String,
}

/// A private method of 0.13's raw locks: somebody waits at an address of the lock's.
const HAS_PARKED: &str = "
pub(crate) trait Private: Sized {
    fn has_parked_threads(&self) -> bool {
        let lock = core::ptr::from_ref(self).addr();
        let keys = lock..lock + size_of::<Self>();
        parkade_core::snapshot().iter().any(|parked| keys.contains(&parked.key))
    }
}

impl Private for RawRwLock {}
impl Private for RawRwLockRecursive {}
";

/// An original and who stands in for it.
struct Original {
    version: &'static str,
    stand_in: &'static str,
    /// Source files with tests of the public interface. (0.13's once.rs also looks into its own word.)
    files: &'static [&'static str],
    /// What the tests use besides.
    dependencies: &'static str,
    /// What the tests use that is private: a trait `Private` that has it.
    private: &'static str,
    edition: &'static str,
}

/// A private method of 0.12's, by public ones.
const WAIT_WHILE: &str = "
pub(crate) trait Private {
    fn wait_while_until_internal<T, F: FnMut(&mut T) -> bool>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        condition: F,
        deadline: Option<std::time::Instant>,
    ) -> WaitTimeoutResult;
}

impl Private for Condvar {
    fn wait_while_until_internal<T, F: FnMut(&mut T) -> bool>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        condition: F,
        deadline: Option<std::time::Instant>,
    ) -> WaitTimeoutResult {
        match deadline {
            Some(deadline) => self.wait_while_until(guard, condition, deadline),
            None => self.wait_while_for(guard, condition, std::time::Duration::MAX),
        }
    }
}
";

/// The original's Condvar panics if threads wait with different mutexes at a time. Parkade's lets them, so that
/// this test waits for ever.
const TWO_MUTEXES: &str = "two_mutexes";

const ORIGINALS: &[Original] = &[
    Original {
        version: "0.12.5",
        stand_in: "parking_lot-0.12",
        files: &["condvar", "fair_mutex", "mutex", "once", "remutex", "rwlock"],
        dependencies: "bincode = \"1.3.3\"\nrand = \"0.8.3\"\n",
        private: WAIT_WHILE,
        edition: "2021",
    },
    Original {
        version: "0.13.0",
        stand_in: "parking_lot-0.13",
        files: &["condvar", "fair_mutex", "mutex", "recursive_rwlock", "remutex", "rwlock"],
        dependencies: "postcard = { version = \"1.1.3\", features = [\"use-std\"], default-features = false }\n\
                       rand = \"0.10.2\"\n",
        private: HAS_PARKED,
        edition: "2024",
    },
];

pub(crate) fn run(args: &Args) -> Outcome {
    ORIGINALS.iter().try_for_each(|original| test(original, &args.filter))
}

fn test(original: &Original, filter: &str) -> Outcome {
    let source = published("parking_lot", original.version)?;
    let folder = target().join("originals").join(original.version);
    let sources = folder.join("src");
    fs::create_dir_all(&sources).map_err(|error| format!("{}: {error}", sources.display()))?;
    write(&folder.join("Cargo.toml"), &manifest(original)?)?;
    // The tests call the interface `crate`.
    let mut lib =
        format!("#![allow(unused_imports)]\npub use parking_lot::*;\n{}", original.private);
    for file in original.files {
        let path = source.join("src").join(format!("{file}.rs"));
        let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let start =
            text.find("\n#[cfg(test)]\n").ok_or_else(|| format!("no tests in {file}.rs"))?;
        let tests =
            text[start..].replace("mod tests {\n", "mod tests {\n    use crate::Private as _;\n");
        write(&sources.join(format!("tests_of_{file}.rs")), &tests)?;
        lib += &format!("mod tests_of_{file};\n");
    }
    write(&sources.join("lib.rs"), &lib)?;
    let mut test = cargo(["test", "--quiet", "--lib", filter, "--", "--skip", TWO_MUTEXES]);
    test.current_dir(&folder).env("CARGO_TARGET_DIR", target().join("originals/target"));
    run_command(&mut test)
}

fn manifest(original: &Original) -> Outcome<String> {
    let package = PACKAGES.iter().find(|package| package.folder == original.stand_in);
    let path = package.ok_or("no such package in compat/")?.path();
    let core = root().join("crates/parkade-core");
    let Original { edition, dependencies, .. } = original;
    Ok(format!(
        r#"[package]
name = "originals"
edition = "{edition}"

[features]
default = ["arc_lock", "serde"]
arc_lock = []
serde = []

[dependencies]
parkade-core = {{ path = {core:?} }}
parking_lot = {{ path = {path:?}, features = ["arc_lock", "serde"] }}
{dependencies}
[workspace]
"#
    ))
}

fn write(path: &Path, text: &str) -> Outcome {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
