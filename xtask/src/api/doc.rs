//! Machine-readable documentation, built by rustdoc and kept for the comparisons that share it.

use std::{collections::HashMap, fs, path::PathBuf, rc::Rc, time::SystemTime};

use serde_json::Value;

use crate::shell::{Outcome, cargo, output, root, target};

/// Where a package comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Source {
    /// `name@version` of a registry.
    Registry(&'static str),
    /// A crate of this workspace.
    Workspace { package: &'static str, features: &'static str },
    /// A folder of compat/.
    Compat { package: &'static str, features: &'static str },
}

/// What rustdoc says of one crate.
#[derive(Debug)]
pub(super) struct Doc {
    pub(super) name: String,
    value: Value,
}

/// All documentation that has been asked for.
#[derive(Debug)]
pub(super) struct Docs {
    /// A package that depends on those of registries.
    theirs: PathBuf,
    built: HashMap<Source, Rc<Doc>>,
}

impl Docs {
    pub(super) fn new(theirs: PathBuf) -> Docs {
        Docs { theirs, built: HashMap::new() }
    }

    pub(super) fn of(&mut self, source: Source) -> Outcome<Rc<Doc>> {
        if let Some(doc) = self.built.get(&source) {
            return Ok(Rc::clone(doc));
        }
        let doc = Rc::new(self.build(source)?);
        self.built.insert(source, Rc::clone(&doc));
        Ok(doc)
    }

    fn build(&self, source: Source) -> Outcome<Doc> {
        let (folder, name, package, features) = match source {
            Source::Registry(package) => {
                let name = package.split('@').next().unwrap_or(package);
                (self.theirs.clone(), name, Some(package), "")
            }
            Source::Workspace { package, features } => {
                (root().to_owned(), package, Some(package), features)
            }
            Source::Compat { package, features } => {
                let package = super::stand_in_for(package)?;
                (package.path(), package.name(), None, features)
            }
        };
        // Versions share a file, so an old one must not stand in for what is asked for, and it is read before the
        // next is written. Cargo takes it for granted if nothing has changed, which is why something does.
        let path = target().join("doc").join(format!("{}.json", name.replace('-', "_")));
        let _ = fs::remove_file(&path);
        let now = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos());
        let mut rustdoc = cargo(["rustdoc", "--quiet", "--lib"]);
        // The format is unstable, so a stable toolchain has to be talked into it.
        rustdoc.current_dir(folder).env("RUSTC_BOOTSTRAP", "1").env("CARGO_TARGET_DIR", target());
        if let Some(package) = package {
            rustdoc.args(["-p", package]);
        }
        if !features.is_empty() {
            rustdoc.args(["--features", features]);
        }
        rustdoc.args(["--", "-Z", "unstable-options", "--output-format", "json"]);
        output(rustdoc.args(["--cfg", &format!("asked_at=\"{now}\"")]))?;
        let text = fs::read_to_string(&path).map_err(|error| format!("{path:?}: {error}"))?;
        let value = serde_json::from_str(&text).map_err(|error| format!("{path:?}: {error}"))?;
        Ok(Doc { name: name.replace('-', "_"), value })
    }
}

impl Doc {
    /// The item of the crate itself.
    pub(super) fn root(&self) -> Option<&Value> {
        self.item(&self.value["root"])
    }

    /// The item with this id, if it is documented here.
    pub(super) fn item(&self, id: &Value) -> Option<&Value> {
        self.value["index"].get(id.as_u64()?.to_string())
    }

    /// Where the item with this id is defined: its crate and path.
    pub(super) fn path(&self, id: &Value) -> Option<(String, &Value)> {
        let path = self.value["paths"].get(id.as_u64()?.to_string())?;
        let name = path["path"].get(0)?.as_str()?;
        Some((name.to_owned(), path))
    }

    /// The item that another crate's documentation calls by this entry of its paths.
    pub(super) fn find(&self, path: &Value) -> Option<&Value> {
        let is_it = |(_, here): &(&String, &Value)| {
            here["crate_id"] == 0 && here["path"] == path["path"] && here["kind"] == path["kind"]
        };
        let (id, _) = self.value["paths"].as_object()?.iter().find(is_it)?;
        self.value["index"].get(id)
    }
}
