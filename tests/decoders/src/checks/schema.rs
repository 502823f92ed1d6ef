//! Descriptions: what is read can be written again, text by text, and costs no more than it is long.
//!
//! The first byte tells what the others are: the text of a type, or a module.

use reedbed::__private::parts::{decode_module, encode_module, parse_type};
use reedbed::dynamic::{Interface, Type};

use super::PER_BYTE;
use crate::Verdict;
use crate::allocation::bounded;

/// What may be allocated for a byte of a text: a list grows by four types at least.
const PER_CHARACTER: u64 = 256;
/// The most types inside one another.
const DEEPEST: usize = 64;

pub(crate) fn check(bytes: &[u8]) -> Verdict {
    match bytes.split_first() {
        Some((b't', text)) => std::str::from_utf8(text).map_or(Verdict::Refused, check_text),
        Some((_, module)) => check_module(module),
        None => Verdict::Refused,
    }
}

fn check_text(text: &str) -> Verdict {
    let (ty, n_types) = bounded(text.len(), PER_CHARACTER, || parse_type(text));
    assert_eq!(ty.to_string(), text, "written again");
    assert!(n_types <= text.len() + 1, "{n_types} types in {text:?}");
    assert!(depth(&ty) <= DEEPEST + 1, "{text:?}");
    Verdict::of(!matches!(ty, Type::Other(_)))
}

fn depth(ty: &Type) -> usize {
    let deepest = |parts: &mut dyn Iterator<Item = &Type>| parts.map(depth).max().unwrap_or(0);
    1 + match ty {
        Type::Option(inner) | Type::List(inner) | Type::Range(inner) => depth(inner),
        Type::Array { element, .. } => depth(element),
        Type::Map { key, value } => depth(key).max(depth(value)),
        Type::Result { ok, error } => depth(ok).max(depth(error)),
        Type::Tuple(parts) => deepest(&mut parts.iter()),
        Type::Struct { fields, .. } => deepest(&mut fields.iter().map(|field| &field.ty)),
        Type::Opaque { parameters, .. } => deepest(&mut parameters.iter().map(|field| &field.ty)),
        Type::Enum { variants, .. } => {
            let fields = variants.iter().flat_map(|variant| &variant.fields);
            deepest(&mut fields.map(|field| &field.ty))
        }
        _ => 0,
    }
}

fn check_module(bytes: &[u8]) -> Verdict {
    let Ok(module) = bounded(bytes.len(), PER_BYTE, || decode_module(bytes)) else {
        return Verdict::Refused;
    };
    assert_eq!(
        encode_module(&module).as_deref(),
        Ok(bytes),
        "written again"
    );
    let interface = Interface::from(&module);
    let signatures = interface.functions.iter().map(ToString::to_string);
    assert!(signatures.eq(module.functions.iter().map(|function| function.signature())));
    let mut names: Vec<_> = module
        .functions
        .iter()
        .map(|function| &function.name)
        .collect();
    names.sort();
    if names.is_sorted_by(|a, b| a < b) {
        assert_eq!(module.differences(&module), Vec::<String>::new());
    }
    Verdict::Accepted
}
