//! What a type's name says. A macro sees names, not types: these are the names that it knows.

use syn::{GenericArgument, PathArguments, PathSegment, Type};

/// The types that travel by handle, or look as if they did, by what may be done with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// `Array2` and its like: owned, on the heap. May be returned.
    Array,
    /// `ArrayView2`: may be an argument.
    ArrayView,
    /// `ArrayViewMut2`: may be an argument.
    ArrayViewMut,
    /// `Tensor`, `Tensor2` and its like: may be an argument and may be returned.
    Tensor,
    /// `TensorView`, `TensorViewMut`: what a host passes, never what a function takes.
    TensorView,
    /// The rest of ndarray: `ArcArray`, `CowArray`, `ArrayBase`, `ArrayRef`, raw views.
    OtherArray,
    /// `Segment`: may be an argument and may be returned.
    Segment,
    /// `SegmentView`: may be an argument.
    SegmentView,
    /// `SegmentViewMut`: may be an argument.
    SegmentViewMut,
    /// `SharedCell`, `SharedCells`: may be an argument and may be returned.
    SharedCell,
}

impl Family {
    /// The family that a type belongs to by the last segment of its path.
    pub(crate) fn of(ty: &Type) -> Option<Self> {
        let segment = last_segment(ty)?;
        let name = segment.ident.to_string();
        let (stem, rank) = split_rank(&name);
        let is_ranked = !rank.is_empty();
        Some(match stem {
            "Array" => Self::Array,
            "ArrayView" => Self::ArrayView,
            "ArrayViewMut" => Self::ArrayViewMut,
            "ArcArray" | "CowArray" | "ArrayRef" => Self::OtherArray,
            "Tensor" => Self::Tensor,
            _ if is_ranked => return None,
            "TensorView" | "TensorViewMut" => Self::TensorView,
            "ArrayBase" | "RawArrayView" | "RawArrayViewMut" => Self::OtherArray,
            "SharedCell" | "SharedCells" => Self::SharedCell,
            // Ours have no type parameters; an application may well have its own `Segment<T>`.
            _ if type_arguments(segment).next().is_some() => return None,
            "Segment" => Self::Segment,
            "SegmentView" => Self::SegmentView,
            "SegmentViewMut" => Self::SegmentViewMut,
            _ => return None,
        })
    }

    /// Whether it is raw memory, or a cell, rather than an array.
    pub(crate) fn is_segment(self) -> bool {
        matches!(
            self,
            Self::Segment | Self::SegmentView | Self::SegmentViewMut | Self::SharedCell
        )
    }

    /// What it is, in messages.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::SharedCell => "a shared cell",
            _ if self.is_segment() => "raw memory",
            _ => "an array",
        }
    }

    /// The attribute that an argument of the family carries.
    pub(crate) fn marker(self) -> &'static str {
        if self.is_segment() {
            "segment"
        } else {
            "ndarray"
        }
    }

    /// Whether the name has a lifetime parameter before its other ones.
    fn has_lifetime(self) -> bool {
        matches!(
            self,
            Self::ArrayView | Self::ArrayViewMut | Self::SegmentView | Self::SegmentViewMut
        )
    }
}

/// Whether a lifetime may be, and is, left out of the path's last segment.
pub(crate) fn elides_lifetime(ty: &Type) -> bool {
    let Some(segment) = last_segment(ty) else {
        return false;
    };
    let has_parameter = segment.ident == "Cow" || Family::of(ty).is_some_and(Family::has_lifetime);
    let is_written = match &segment.arguments {
        PathArguments::AngleBracketed(arguments) => arguments
            .args
            .iter()
            .any(|argument| matches!(argument, GenericArgument::Lifetime(_))),
        PathArguments::None | PathArguments::Parenthesized(_) => false,
    };
    has_parameter && !is_written
}

/// A name and the rank at its end: `Array2` is `("Array", "2")`, `ArrayD` is `("Array", "D")`.
pub(crate) fn split_rank(name: &str) -> (&str, &str) {
    let is_rank = |last: u8| matches!(last, b'0'..=b'6' | b'D');
    match name.as_bytes().last() {
        Some(&last) if is_rank(last) => name.split_at(name.len() - 1),
        _ => (name, ""),
    }
}

/// The last segment of a path: `Array2<u16>` of `ndarray::Array2<u16>`.
pub(crate) fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match bare(ty) {
        Type::Path(path) if path.qself.is_none() => path.path.segments.last(),
        _ => None,
    }
}

/// The type without parentheses and without the invisible groups of `macro_rules`.
pub(crate) fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Paren(paren) => bare(&paren.elem),
        Type::Group(group) => bare(&group.elem),
        _ => ty,
    }
}

/// As [`bare`].
pub(crate) fn bare_mut(ty: &mut Type) -> &mut Type {
    match ty {
        Type::Paren(paren) => bare_mut(&mut paren.elem),
        Type::Group(group) => bare_mut(&mut group.elem),
        _ => ty,
    }
}

/// `DetectorInHDR` as `detector_in_hdr`, as a module would be called.
pub(crate) fn snake_case(name: &str) -> String {
    let letters: Vec<_> = name.chars().collect();
    let mut snake = String::new();
    for (index, &letter) in letters.iter().enumerate() {
        let before = index.checked_sub(1).map(|before| letters[before]);
        let is_next_lower = letters
            .get(index + 1)
            .is_some_and(|next| next.is_lowercase());
        let begins_a_word =
            before.is_some_and(|before| before != '_' && (!before.is_uppercase() || is_next_lower));
        if letter.is_uppercase() && begins_a_word {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

/// The type arguments of a segment, without lifetimes and constants.
pub(crate) fn type_arguments(segment: &PathSegment) -> impl Iterator<Item = &Type> {
    let arguments = match &segment.arguments {
        PathArguments::AngleBracketed(arguments) => Some(&arguments.args),
        PathArguments::None | PathArguments::Parenthesized(_) => None,
    };
    arguments
        .into_iter()
        .flatten()
        .filter_map(|argument| match argument {
            GenericArgument::Type(ty) => Some(ty),
            _ => None,
        })
}

/// The type in an `Option`.
pub(crate) fn option(ty: &Type) -> Option<&Type> {
    let segment = last_segment(ty).filter(|segment| segment.ident == "Option")?;
    let mut arguments = type_arguments(segment);
    let inner = arguments.next()?;
    arguments.next().is_none().then_some(inner)
}

/// The type of the parts of a list, a map or a box: `T` of `Vec<T>`, `[T; N]`, `Box<T>`,
/// `HashMap<K, T>` and `BTreeMap<K, T>`.
pub(crate) fn part(ty: &Type) -> Option<&Type> {
    if let Type::Array(array) = bare(ty) {
        return Some(&array.elem);
    }
    let segment = last_segment(ty)?;
    let arguments: Vec<_> = type_arguments(segment).collect();
    match (segment.ident.to_string().as_str(), arguments.as_slice()) {
        ("Vec" | "Box", [part]) | ("BTreeMap" | "HashMap", [_, part]) => Some(part),
        ("HashMap", [_, part, _]) => Some(part),
        _ => None,
    }
}

/// The same list, map or box with other parts.
pub(crate) fn with_part(ty: &Type, part: Type) -> Type {
    let mut ty = bare(ty).clone();
    match &mut ty {
        Type::Array(array) => *array.elem = part,
        Type::Path(path) => {
            let arguments = path
                .path
                .segments
                .last_mut()
                .map(|last| &mut last.arguments);
            if let Some(PathArguments::AngleBracketed(arguments)) = arguments {
                let mut types = arguments
                    .args
                    .iter_mut()
                    .filter_map(|argument| match argument {
                        GenericArgument::Type(ty) => Some(ty),
                        _ => None,
                    });
                // A map's keys come first, a hasher last.
                let (first, second) = (types.next(), types.next());
                if let Some(place) = second.or(first) {
                    *place = part;
                }
            }
        }
        _ => {}
    }
    ty
}

/// Whether the name is that of a primitive type.
pub(crate) fn is_primitive(ty: &Type) -> bool {
    const PRIMITIVES: &[&str] = &[
        "bool", "char", "str", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32",
        "u64", "u128", "usize", "f32", "f64",
    ];
    match bare(ty) {
        Type::Path(path) => path
            .path
            .get_ident()
            .is_some_and(|name| PRIMITIVES.iter().any(|one| name == one)),
        _ => false,
    }
}

/// Whether the names say that serde writes all of the type: primitives, and the standard library's.
pub(crate) fn is_plain(ty: &Type) -> bool {
    const VALUES: &[&str] = &["String", "PathBuf", "Duration", "HashSet", "BTreeSet"];
    if let Some(inner) = option(ty).or_else(|| part(ty)) {
        return is_plain(inner);
    }
    if let Type::Tuple(tuple) = bare(ty) {
        return tuple.elems.iter().all(is_plain);
    }
    let is_std = |segment: &PathSegment| VALUES.iter().any(|value| segment.ident == value);
    is_primitive(ty) || last_segment(ty).is_some_and(is_std)
}

#[cfg(test)]
mod tests {
    use super::snake_case;

    #[test]
    fn types_are_called_like_modules() {
        for (name, snake) in [
            ("Detector", "detector"),
            ("CellDetector", "cell_detector"),
            ("HTTPServer", "http_server"),
            ("Detector2", "detector2"),
            ("Detector2D", "detector2_d"),
            ("Already_Snake", "already_snake"),
            ("X", "x"),
        ] {
            assert_eq!(snake_case(name), snake);
        }
    }
}
