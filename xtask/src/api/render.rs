//! Signatures as text that is the same for the same meaning: without lifetimes, names of parameters and
//! paths, bounds in order.

use serde_json::Value;

/// A type of rustdoc's.
pub(super) fn of_type(ty: &Value) -> String {
    let Some((kind, inner)) = ty.as_object().and_then(|object| object.iter().next()) else {
        return ty.as_str().unwrap_or("_").to_owned();
    };
    match kind.as_str() {
        "resolved_path" => path(inner),
        "generic" | "primitive" => inner.as_str().unwrap_or("_").to_owned(),
        "borrowed_ref" => {
            let mutable = if inner["is_mutable"] == true { "mut " } else { "" };
            format!("&{mutable}{}", of_type(&inner["type"]))
        }
        "raw_pointer" => {
            let mutable = if inner["is_mutable"] == true { "mut" } else { "const" };
            format!("*{mutable} {}", of_type(&inner["type"]))
        }
        "tuple" => format!("({})", list(inner, of_type)),
        "slice" => format!("[{}]", of_type(inner)),
        "array" => format!("[{}; {}]", of_type(&inner["type"]), inner["len"]),
        "impl_trait" => format!("impl {}", bounds(inner)),
        "dyn_trait" => format!("dyn {}", list(&inner["traits"], |poly| path(&poly["trait"]))),
        "qualified_path" => {
            format!("<{}>::{}", of_type(&inner["self_type"]), inner["name"].as_str().unwrap_or("_"))
        }
        "function_pointer" => format!("fn{}", signature(&inner["sig"])),
        other => format!("{other}({inner})"),
    }
}

fn list(values: &Value, render: impl Fn(&Value) -> String) -> String {
    let values = values.as_array().map(Vec::as_slice).unwrap_or_default();
    values.iter().map(render).collect::<Vec<_>>().join(", ")
}

/// A path without its modules, with its arguments.
pub(super) fn path(path: &Value) -> String {
    let name = path["path"].as_str().or(path["name"].as_str()).unwrap_or("_");
    let name = name.rsplit("::").next().unwrap_or(name);
    let args = &path["args"];
    if let Some(angle) = args.get("angle_bracketed") {
        let types = angle["args"].as_array().into_iter().flatten();
        let types = types.filter_map(|arg| {
            let constant = || Some(arg.get("const")?["expr"].as_str()?.to_owned());
            arg.get("type").map(of_type).or_else(constant)
        });
        let types: Vec<_> = types.collect();
        if !types.is_empty() {
            return format!("{name}<{}>", types.join(", "));
        }
    } else if let Some(call) = args.get("parenthesized") {
        let (inputs, output) = (list(&call["inputs"], of_type), returned(&call["output"]));
        return format!("{name}({inputs}){output}");
    }
    name.to_owned()
}

fn returned(output: &Value) -> String {
    if output.is_null() { String::new() } else { format!(" -> {}", of_type(output)) }
}

/// Arguments and result of a function.
fn signature(sig: &Value) -> String {
    format!("({}){}", list(&sig["inputs"], |input| of_type(&input[1])), returned(&sig["output"]))
}

fn bounds(bounds: &Value) -> String {
    let bounds = bounds.as_array().into_iter().flatten().filter_map(|bound| {
        let bound = bound.get("trait_bound")?;
        let maybe = if bound["modifier"] == "maybe" { "?" } else { "" };
        Some(format!("{maybe}{}", path(&bound["trait"])))
    });
    let mut bounds: Vec<_> = bounds.collect();
    bounds.sort();
    bounds.join(" + ")
}

/// What has to hold of type parameters, wherever it is written.
fn conditions(generics: &Value) -> String {
    let params = generics["params"].as_array().into_iter().flatten();
    let inline = params.filter_map(|param| {
        let ty = param["kind"].get("type").filter(|ty| ty["is_synthetic"] != true)?;
        Some((param["name"].as_str()?.to_owned(), bounds(&ty["bounds"])))
    });
    let predicates = generics["where_predicates"].as_array().into_iter().flatten();
    let apart = predicates.filter_map(|predicate| {
        let bound = predicate.get("bound_predicate")?;
        Some((of_type(&bound["type"]), bounds(&bound["bounds"])))
    });
    let all = inline.chain(apart).filter(|(_, bounds)| !bounds.is_empty());
    let mut all: Vec<_> = all.map(|(ty, bounds)| format!("{ty}: {bounds}")).collect();
    all.sort();
    if all.is_empty() { String::new() } else { format!(" where {}", all.join(", ")) }
}

/// A function but for `const`, which may only be added.
pub(super) fn function(function: &Value) -> String {
    let header = &function["header"];
    let unsafety = if header["is_unsafe"] == true { "unsafe " } else { "" };
    format!("{unsafety}fn{}{}", signature(&function["sig"]), conditions(&function["generics"]))
}
