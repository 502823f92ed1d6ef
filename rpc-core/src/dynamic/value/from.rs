//! What a [`Value`] is made of by `into()`.

use std::collections::{BTreeMap, HashMap};

use ndarray::{ArrayBase, ArrayView, ArrayViewMut, Data, DataMut, Dimension};

use super::Value;
use crate::call::argument::{Arg, ArgMut};
use crate::call::instance::Instance;
use crate::dynamic::array::AnyTensor;
use crate::dynamic::cells::AnyCells;
use crate::dynamic::lent::Lent;
use crate::segment::{Atomic, Segment, SharedCell, SharedCells};
use crate::tensor::{Element, FrozenTensor, Tensor, TensorView, TensorViewMut};

macro_rules! from {
    ($($ty:ty: $value:ident => $made:expr;)*) => {$(
        impl<'a> From<$ty> for Value<'a> {
            fn from($value: $ty) -> Self {
                $made
            }
        }
    )*};
}

from! {
    (): _unit => Self::Unit;
    bool: value => Self::Bool(value);
    char: value => Self::Char(value);
    u8: value => Self::Int(value.into());
    u16: value => Self::Int(value.into());
    u32: value => Self::Int(value.into());
    u64: value => Self::Int(value.into());
    usize: value => Self::Int(value as i128);
    i8: value => Self::Int(value.into());
    i16: value => Self::Int(value.into());
    i32: value => Self::Int(value.into());
    i64: value => Self::Int(value.into());
    isize: value => Self::Int(value as i128);
    i128: value => Self::Int(value);
    u128: value => i128::try_from(value).map_or(Self::UInt(value), Self::Int);
    f32: value => Self::Float(value.into());
    f64: value => Self::Float(value);
    &str: value => Self::String(value.to_owned());
    String: value => Self::String(value);
    &[u8]: value => Self::Bytes(value.to_owned());
    AnyTensor: value => Self::Tensor(value);
    AnyCells: value => Self::Cells(value);
    &AnyCells: value => Self::Cells(value.clone());
    Segment: value => Self::Segment(value);
    Instance: value => Self::Instance(value);
    &Instance: value => Self::Instance(value.clone());
    &'a AnyTensor: value => Self::Lent(Lent::any(value));
    &'a mut AnyTensor: value => Self::Lent(Lent::any_mut(value));
    &'a Segment: value => Self::Lent(Lent::segment(Arg::Tensor(value.tensor_view())));
    &'a mut Segment: value => Self::Lent(Lent::segment(ArgMut::Tensor(value.tensor_view_mut())));
    Lent<'a>: value => Self::Lent(value);
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::None, |value| Self::Some(Box::new(value.into())))
    }
}

impl<'a, T: Into<Value<'a>>> From<Box<T>> for Value<'a> {
    fn from(value: Box<T>) -> Self {
        (*value).into()
    }
}

impl<'a, T: Into<Value<'a>>> From<Vec<T>> for Value<'a> {
    fn from(values: Vec<T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

impl<'a, T: Into<Value<'a>>, const N: usize> From<[T; N]> for Value<'a> {
    fn from(values: [T; N]) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

macro_rules! maps {
    ($($name:ident<K, V $(, $more:ident)?>),*) => {$(
        impl<'a, K: Into<Value<'a>>, V: Into<Value<'a>> $(, $more)?> From<$name<K, V $(, $more)?>>
            for Value<'a>
        {
            fn from(entries: $name<K, V $(, $more)?>) -> Self {
                let entries = entries.into_iter();
                Self::Map(entries.map(|(key, value)| (key.into(), value.into())).collect())
            }
        }
    )*};
}

maps! { BTreeMap<K, V>, HashMap<K, V, S> }

macro_rules! tuples {
    ($(($($part:ident),+)),* $(,)?) => {$(
        impl<'a, $($part: Into<Value<'a>>),+> From<($($part,)+)> for Value<'a> {
            fn from(parts: ($($part,)+)) -> Self {
                #[expect(non_snake_case, reason = "the parts are named after their types")]
                let ($($part,)+) = parts;
                Self::List(vec![$($part.into()),+])
            }
        }
    )*};
}

tuples! {
    (A), (A, B), (A, B, C), (A, B, C, D), (A, B, C, D, E), (A, B, C, D, E, F),
    (A, B, C, D, E, F, G), (A, B, C, D, E, F, G, H),
}

impl<A: Element, D: Dimension> From<Tensor<A, D>> for Value<'_> {
    fn from(tensor: Tensor<A, D>) -> Self {
        Self::Tensor(tensor.into())
    }
}

impl<'a, T: Atomic> From<&SharedCell<T>> for Value<'a> {
    fn from(cell: &SharedCell<T>) -> Self {
        Self::Lent(Lent::new(cell.clone()))
    }
}

impl<'a, T: Atomic> From<&SharedCells<T>> for Value<'a> {
    fn from(cells: &SharedCells<T>) -> Self {
        Self::Lent(Lent::new(cells.clone()))
    }
}

/// What a stub takes for an array that is lent.
macro_rules! lent {
    ($($ty:ty => $arg:ident $(where $more:ident: $bound:path)?;)*) => {$(
        impl<'a, A: Element, D: Dimension + 'a $(, $more: $bound)?> From<$ty> for Value<'a> {
            fn from(array: $ty) -> Self {
                Self::Lent(Lent::new($arg::<'a, A, D>::from(array)))
            }
        }
    )*};
}

lent! {
    Arg<'a, A, D> => Arg;
    &'a Tensor<A, D> => Arg;
    &'a FrozenTensor<A, D> => Arg;
    TensorView<'a, A, D> => Arg;
    ArrayView<'a, A, D> => Arg;
    &'a ArrayBase<S, D> => Arg where S: Data<Elem = A>;
    ArgMut<'a, A, D> => ArgMut;
    &'a mut Tensor<A, D> => ArgMut;
    TensorViewMut<'a, A, D> => ArgMut;
    ArrayViewMut<'a, A, D> => ArgMut;
    &'a mut ArrayBase<S, D> => ArgMut where S: DataMut<Elem = A>;
}
