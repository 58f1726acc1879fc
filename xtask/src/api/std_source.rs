//! The stable names of `std::sync`, read from std's sources: a stable toolchain has no machine-readable
//! documentation of std. That ours have their signatures is shown by the test that mentions them.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use crate::shell::{Outcome, output};

/// What Parkade has a counterpart to, below `library/std/src/sync`. (Atomics, `Arc` and `mpsc` are std's own.)
const FILES: &[&str] = &[
    "mod.rs",
    "barrier.rs",
    "lazy_lock.rs",
    "once.rs",
    "once_lock.rs",
    "poison.rs",
    "poison/condvar.rs",
    "poison/mutex.rs",
    "poison/rwlock.rs",
];

/// The stable names: `Type`, `Type::method`.
pub(super) fn names() -> Outcome<BTreeSet<String>> {
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    let sysroot = output(rustc.args(["--print", "sysroot"]))?;
    let folder = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/std/src/sync");
    let mut names = BTreeSet::new();
    for file in FILES {
        let path = folder.join(file);
        let text = fs::read_to_string(&path).map_err(|error| {
            format!("{}: {error}; `rustup component add rust-src` installs it", path.display())
        })?;
        names.extend(names_of(&text));
    }
    if names.contains("Mutex::lock") { Ok(names) } else { Err("std has changed its looks".into()) }
}

/// Whether what comes next is stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stability {
    Unmarked,
    Stable,
    Unstable,
}

/// Reads rustfmt's style: a type's methods are indented once, under `impl`, each with its attributes above.
fn names_of(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut ty = None;
    let mut stability = Stability::Unmarked;
    for line in text.lines() {
        if line.starts_with("impl") {
            let is_of_trait = line.contains(" for ");
            ty = (!is_of_trait).then(|| type_of(line));
            stability = Stability::Unmarked;
        } else if line == "}" {
            ty = None;
        }
        let trimmed = line.trim_start();
        if trimmed.starts_with("#[stable") {
            stability = Stability::Stable;
        } else if trimmed.starts_with("#[unstable") {
            stability = Stability::Unstable;
        }
        let Some(item) = trimmed.strip_prefix("pub ") else {
            continue;
        };
        if stability == Stability::Stable {
            match ty.as_deref() {
                Some(ty) => {
                    names.extend(function(item).map(|name| format!("{ty}::{name}")));
                }
                None if item.starts_with("use ") => {
                    let list = text[line.as_ptr() as usize - text.as_ptr() as usize..].split(';');
                    names.extend(list.take(1).flat_map(imported));
                }
                None => {}
            }
        }
        stability = Stability::Unmarked;
    }
    names
}

/// The type of `impl<T> Type<T> {`.
fn type_of(line: &str) -> String {
    let rest = line.trim_start_matches("impl");
    let after_generics = match rest.strip_prefix('<') {
        // Bounds like `FnOnce() -> T` have a `>` of their own; a type's name begins after the last one with a space.
        Some(generics) => generics.split_once("> ").map_or(generics, |(first, rest)| {
            if first.ends_with('-') {
                rest.split_once("> ").map_or(rest, |(_, rest)| rest)
            } else {
                rest
            }
        }),
        None => rest,
    };
    let name = after_generics.trim_start();
    name.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned()
}

/// The name of a function.
fn function(item: &str) -> Option<&str> {
    let item = item.trim_start_matches("const ").trim_start_matches("unsafe ");
    item.strip_prefix("fn ")?.split(|c: char| !c.is_alphanumeric() && c != '_').next()
}

/// The names of `pub use path::{A, B}` or `pub use path::A`.
fn imported(text: &str) -> Vec<String> {
    let names = text.rsplit("::").next().unwrap_or_default();
    let names = names.trim_matches(|c: char| "{} \n".contains(c)).split(',');
    names.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::{names_of, type_of};

    #[test]
    fn stable_names_are_found_and_no_others() {
        let text = "#[stable(a)]\npub use self::x::{A,\n    B};\n#[unstable(b)]\npub use self::y::C;\n\
                    #[stable(c)]\npub use self::z::D;\nimpl<T> A<T> {\n    #[stable(c)]\n    #[inline]\n    \
                    pub const fn new() {\n    }\n    #[unstable(d)]\n    pub fn set() {}\n}\n\
                    #[stable(e)]\nimpl<T> Clone for A<T> {\n    pub fn no() {}\n}\n\
                    impl<'a, T: ?Sized> B<'a, T> {\n    fn private() {}\n    #[stable(f)]\n    pub fn get() {}\n}\n";
        assert_eq!(names_of(text), ["A", "B", "D", "A::new", "B::get"]);
    }

    #[test]
    fn a_bound_with_an_arrow_is_no_end_of_generics() {
        assert_eq!(type_of("impl<T, F: FnOnce() -> T> LazyLock<T, F> {"), "LazyLock");
        assert_eq!(type_of("impl Once {"), "Once");
    }
}
