//! All that a crate offers: names with what they are.

use std::{collections::BTreeMap, fmt, rc::Rc};

use serde_json::Value;

use super::{doc::Doc, render};
use crate::shell::Outcome;

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    text: String,
    constness: Constness,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Constness {
    Const,
    Runtime,
}

/// What a crate offers, by name: `Type`, `Type::method`, `Type.field`, `Type: Trait`, `function`.
#[derive(Debug, Default)]
pub(super) struct Surface(BTreeMap<String, Entry>);

/// Something of theirs that ours lack.
#[derive(Debug)]
pub(super) struct Gap {
    pub(super) key: String,
    theirs: String,
    ours: Option<String>,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n      theirs: {}", self.key, self.theirs)?;
        match &self.ours {
            Some(ours) => write!(f, "\n      ours:   {ours}"),
            None => f.write_str("\n      ours:   nothing"),
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let constness = if self.constness == Constness::Const { "const " } else { "" };
        write!(f, "{constness}{}", self.text)
    }
}

impl Surface {
    /// What the first of `crates` offers; the others are those it takes from.
    pub(super) fn of(crates: &[Rc<Doc>]) -> Outcome<Surface> {
        let mut surface = Surface::default();
        let doc = crates.first().ok_or("no crate")?;
        let root = doc.root().ok_or_else(|| format!("rustdoc's format of {}", doc.name))?;
        Walk { crates, surface: &mut surface }.module(doc, root, "");
        if surface.0.is_empty() { Err(format!("{} offers nothing", doc.name)) } else { Ok(surface) }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// What is missing from `ours`, or is something else there.
    pub(super) fn not_in(&self, ours: &Surface) -> Vec<Gap> {
        let missing = self.0.iter().filter(|(key, theirs)| {
            ours.0.get(*key).is_none_or(|ours| {
                let loses_const =
                    theirs.constness == Constness::Const && ours.constness == Constness::Runtime;
                ours.text != theirs.text || loses_const
            })
        });
        let gap = |(key, theirs): (&String, &Entry)| Gap {
            key: key.clone(),
            theirs: theirs.to_string(),
            ours: ours.0.get(key).map(Entry::to_string),
        };
        missing.map(gap).collect()
    }
}

/// Goes through a crate and what it takes from others.
struct Walk<'a> {
    crates: &'a [Rc<Doc>],
    surface: &'a mut Surface,
}

impl<'a> Walk<'a> {
    fn add(&mut self, key: String, text: String, constness: Constness) {
        self.surface.0.insert(key, Entry { text, constness });
    }

    /// The crate and item behind an id of `doc`, which may be of another crate.
    fn resolve(&self, doc: &'a Doc, id: &Value) -> Option<(&'a Doc, &'a Value)> {
        if let Some(item) = doc.item(id) {
            return Some((doc, item));
        }
        let (name, path) = doc.path(id)?;
        let mut others = self.crates.iter().filter(|other| other.name == name);
        others.find_map(|other| Some((&**other, other.find(path)?)))
    }

    fn module(&mut self, doc: &'a Doc, module: &'a Value, prefix: &str) {
        for id in module["inner"]["module"]["items"].as_array().into_iter().flatten() {
            if let Some(item) = doc.item(id).filter(|item| item["visibility"] == "public") {
                self.item(doc, item, item["name"].as_str().unwrap_or_default(), prefix);
            }
        }
    }

    fn item(&mut self, doc: &'a Doc, item: &'a Value, name: &str, prefix: &str) {
        let Some((kind, inner)) = item["inner"].as_object().and_then(|o| o.iter().next()) else {
            return;
        };
        let key = format!("{prefix}{name}");
        match kind.as_str() {
            "use" => self.reexport(doc, inner, prefix),
            "module" => self.module(doc, item, &format!("{key}::")),
            "function" => self.function(key, inner),
            "constant" => {
                self.add(
                    key,
                    format!("const {}", render::of_type(&inner["type"])),
                    Constness::Const,
                );
            }
            "type_alias" => self.alias(doc, &key, inner),
            "struct" | "enum" => self.data(doc, &key, kind, inner),
            other => self.add(key, other.to_owned(), Constness::Runtime),
        }
    }

    fn reexport(&mut self, doc: &'a Doc, inner: &'a Value, prefix: &str) {
        let name = inner["name"].as_str().unwrap_or_default();
        let Some((doc, item)) = self.resolve(doc, &inner["id"]) else {
            // A whole crate, or a crate that is not looked into.
            let key = format!("{prefix}{name}");
            return self.add(key, "re-export".to_owned(), Constness::Runtime);
        };
        let is_crate = item["inner"]["module"]["is_crate"] == true;
        if inner["is_glob"] == true {
            self.module(doc, item, prefix);
        } else if is_crate {
            self.add(format!("{prefix}{name}"), "re-export".to_owned(), Constness::Runtime);
        } else {
            self.item(doc, item, name, prefix);
        }
    }

    fn function(&mut self, key: String, function: &Value) {
        let constness = match function["header"]["is_const"] == true {
            true => Constness::Const,
            false => Constness::Runtime,
        };
        self.add(key, render::function(function), constness);
    }

    /// An alias offers what the type behind it does.
    fn alias(&mut self, doc: &'a Doc, key: &str, alias: &'a Value) {
        let path = alias["type"].get("resolved_path");
        match path.and_then(|path| self.resolve(doc, &path["id"])) {
            Some((doc, item)) => self.item(doc, item, key, ""),
            None => {
                self.add(key.to_owned(), render::of_type(&alias["type"]), Constness::Runtime);
            }
        }
    }

    fn data(&mut self, doc: &'a Doc, key: &str, kind: &str, data: &'a Value) {
        let params = data["generics"]["params"].as_array().into_iter().flatten();
        let count = params.filter(|param| param["kind"].get("lifetime").is_none()).count();
        let text = match kind {
            "enum" => "enum".to_owned(),
            // A raw lock is a parameter of lock_api's types, which is a detail of where they come from.
            _ if count > 0 => "generic type".to_owned(),
            _ => "type".to_owned(),
        };
        self.add(key.to_owned(), text, Constness::Runtime);
        for id in data["variants"].as_array().into_iter().flatten() {
            if let Some(variant) = doc.item(id) {
                self.variant(doc, key, variant);
            }
        }
        for id in data["kind"]["plain"]["fields"].as_array().into_iter().flatten() {
            self.field(doc, &format!("{key}."), id);
        }
        for id in data["kind"]["tuple"].as_array().into_iter().flatten() {
            self.field(doc, &format!("{key}."), id);
        }
        for id in data["impls"].as_array().into_iter().flatten() {
            if let Some(item) = doc.item(id) {
                self.implementation(doc, key, &item["inner"]["impl"]);
            }
        }
    }

    fn variant(&mut self, doc: &'a Doc, key: &str, variant: &'a Value) {
        let name = variant["name"].as_str().unwrap_or_default();
        let kind = &variant["inner"]["variant"]["kind"];
        let fields = kind["tuple"].as_array().into_iter().flatten();
        let fields = fields.filter_map(|id| doc.item(id));
        let fields: Vec<_> =
            fields.map(|field| render::of_type(&field["inner"]["struct_field"])).collect();
        self.add(format!("{key}::{name}"), format!("({})", fields.join(", ")), Constness::Runtime);
    }

    fn field(&mut self, doc: &'a Doc, key: &str, id: &Value) {
        if let Some(field) = doc.item(id).filter(|field| field["visibility"] == "public") {
            let name = field["name"].as_str().unwrap_or_default();
            let ty = render::of_type(&field["inner"]["struct_field"]);
            self.add(format!("{key}{name}"), ty, Constness::Runtime);
        }
    }

    fn implementation(&mut self, doc: &'a Doc, key: &str, block: &'a Value) {
        if !block["blanket_impl"].is_null() || block["is_negative"] == true {
            return;
        }
        if !block["trait"].is_null() {
            let name = render::path(&block["trait"]);
            // Whose names change from compiler to compiler.
            let is_of_users =
                !matches!(name.as_str(), "Freeze" | "UnsafeUnpin" | "StructuralPartialEq");
            if is_of_users {
                self.add(format!("{key}: {name}"), "implemented".to_owned(), Constness::Runtime);
            }
            return;
        }
        for id in block["items"].as_array().into_iter().flatten() {
            let Some(item) = doc.item(id).filter(|item| item["visibility"] == "public") else {
                continue;
            };
            let key = format!("{key}::{}", item["name"].as_str().unwrap_or_default());
            if let Some(function) = item["inner"].get("function") {
                self.function(key.clone(), function);
                if let Some(entry) = self.surface.0.get_mut(&key) {
                    entry.text = with_self(&entry.text, &render::of_type(&block["for"]));
                }
            } else {
                self.add(key, "associated item".to_owned(), Constness::Const);
            }
        }
    }
}

/// `text` with `Self` for the type that it speaks of.
fn with_self(text: &str, ty: &str) -> String {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '<';
    let mut rest = text;
    let mut result = String::new();
    while let Some(at) = rest.find(ty) {
        let (before, after) = (&rest[..at], &rest[at + ty.len()..]);
        let is_whole = !before.ends_with(|c: char| c.is_alphanumeric() || c == '_')
            && !after.starts_with(is_part);
        result.push_str(before);
        result.push_str(if is_whole { "Self" } else { ty });
        rest = after;
    }
    result + rest
}

#[cfg(test)]
mod tests {
    use super::with_self;

    #[test]
    fn only_the_type_itself_is_self() {
        assert_eq!(with_self("fn(A) -> AB<A>, &A", "A"), "fn(Self) -> AB<Self>, &Self");
        assert_eq!(with_self("fn(A<T>, BA<T>) -> A<U>", "A<T>"), "fn(Self, BA<T>) -> A<U>");
    }
}
