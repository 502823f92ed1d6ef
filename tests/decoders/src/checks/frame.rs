//! Frames: what is read can be written again, the same in both ways of reading and writing, and
//! arrays in a frame are where their handles say.

use reedbed::__private::parts::{AnyFrame, bind_inline};

use super::{PER_BYTE, model};
use crate::Verdict;
use crate::allocation::bounded;

pub(crate) fn check(bytes: &[u8]) -> Verdict {
    let decoded = bounded(bytes.len(), PER_BYTE, || AnyFrame::decode(bytes));
    assert_eq!(
        AnyFrame::decode_by_codec(bytes),
        decoded,
        "read in two ways"
    );
    if let Some(quick) = AnyFrame::decode_quickly(bytes) {
        assert_eq!(Ok(&quick), decoded.as_ref(), "read by hand");
    }
    let Ok(frame) = decoded else {
        return Verdict::Refused;
    };
    assert_eq!(frame.encode().as_deref(), Ok(bytes), "written again");
    assert_eq!(
        frame.encode_by_codec().as_deref(),
        Ok(bytes),
        "written in the other way"
    );
    if let Some((mut handles, inline)) = frame.arrays() {
        handles.retain(|handle| handle.is_inline());
        model::compare_inline(&handles, inline, &bind_inline(&handles, inline));
    }
    Verdict::Accepted
}
