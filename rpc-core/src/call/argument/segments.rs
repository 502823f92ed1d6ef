//! Segments as arguments: raw memory.

use ndarray::{ArrayView, ArrayViewMut, Ix1};

use super::{Arg, ArgMut, HandleArg, SendArg};
use crate::call::error::SendError;
use crate::call::incoming::Incoming;
use crate::call::outgoing::Outgoing;
use crate::segment::mapping::Access;
use crate::segment::{Segment, SegmentView, SegmentViewMut};
use crate::tensor::{TensorView, TensorViewMut};
use crate::wire::frame::Failure;
use crate::wire::schema::SchemaWriter;

/// What a stub takes where the function takes a [`SegmentView`]: `&Segment`.
#[derive(Debug)]
pub struct SegmentArg<'a>(TensorView<'a, u8, Ix1>);

/// What a stub takes where the function takes a [`SegmentViewMut`]: `&mut Segment`.
#[derive(Debug)]
pub struct SegmentArgMut<'a>(TensorViewMut<'a, u8, Ix1>);

impl<'a> From<&'a Segment> for SegmentArg<'a> {
    fn from(segment: &'a Segment) -> Self {
        Self(segment.tensor_view())
    }
}

impl<'a> From<&'a mut Segment> for SegmentArgMut<'a> {
    fn from(segment: &'a mut Segment) -> Self {
        Self(segment.tensor_view_mut())
    }
}

impl<'a> SendArg<'a> for SegmentArg<'a> {
    fn send(self, argument: &str, outgoing: &mut Outgoing<'a>) -> Result<(), SendError> {
        Arg::Tensor(self.0).send(argument, outgoing)
    }
}

impl<'a> HandleArg<'a> for SegmentView<'a> {
    type Sent = SegmentArg<'a>;

    fn describe(writer: &mut SchemaWriter) {
        writer.leaf("read segment");
    }

    fn bind(argument: &str, incoming: &mut Incoming<'a>) -> Result<Self, Failure> {
        let view: ArrayView<'a, u8, Ix1> = incoming.view(argument)?;
        view.to_slice()
            .map(Self::new)
            .ok_or_else(|| not_a_run(argument))
    }
}

impl<'a> SendArg<'a> for SegmentArgMut<'a> {
    fn send(self, argument: &str, outgoing: &mut Outgoing<'a>) -> Result<(), SendError> {
        ArgMut::Tensor(self.0).send(argument, outgoing)
    }
}

impl<'a> HandleArg<'a> for SegmentViewMut<'a> {
    type Sent = SegmentArgMut<'a>;

    fn describe(writer: &mut SchemaWriter) {
        writer.leaf("write segment");
    }

    fn bind(argument: &str, incoming: &mut Incoming<'a>) -> Result<Self, Failure> {
        let view: ArrayViewMut<'a, u8, Ix1> = incoming.view_mut(argument)?;
        view.into_slice()
            .map(Self::new)
            .ok_or_else(|| not_a_run(argument))
    }
}

impl<'a> SendArg<'a> for Segment {
    fn send(self, argument: &str, outgoing: &mut Outgoing<'a>) -> Result<(), SendError> {
        let copied = outgoing.copied_bytes(self.located(), Access::ReadWrite);
        outgoing.now_or_later(argument, copied, move |argument, outgoing| {
            outgoing.give(argument, self, Self::located)
        })
    }
}

impl<'a> HandleArg<'a> for Segment {
    type Sent = Self;

    fn describe(writer: &mut SchemaWriter) {
        writer.leaf("own segment");
    }

    fn bind(argument: &str, incoming: &mut Incoming<'a>) -> Result<Self, Failure> {
        incoming.tensor(argument).map(Self::from_bytes)
    }
}

fn not_a_run(argument: &str) -> Failure {
    Failure::BadArgument {
        argument: argument.to_owned(),
        reason: "the bytes of a segment must be one run".to_owned(),
    }
}
