//! The two first messages: what is read can be written again, other versions are told apart, and no
//! limit is greater than either side's.

use reedbed::__private::parts::FirstMessage;

use super::PER_BYTE;
use crate::Verdict;
use crate::allocation::bounded;

const MAGIC: &[u8; 8] = b"REEDBED\0";
const VERSION: [u8; 4] = 1u32.to_le_bytes();

pub(crate) fn check(bytes: &[u8]) -> Verdict {
    let hello = bounded(bytes.len(), PER_BYTE, || FirstMessage::decode_hello(bytes));
    let welcome = bounded(bytes.len(), PER_BYTE, || {
        FirstMessage::decode_welcome(bytes)
    });
    let (magic, rest) = bytes.split_at(bytes.len().min(MAGIC.len()));
    for message in [&hello, &welcome] {
        match message {
            Ok(message) => {
                assert!(magic == MAGIC && rest.starts_with(&VERSION), "{bytes:?}");
                assert_eq!(message.encode().as_deref(), Ok(bytes), "written again");
                let (theirs, negotiated) = message.limits();
                for (theirs, negotiated) in theirs.into_iter().zip(negotiated) {
                    assert!(negotiated >= 1 && negotiated <= theirs.max(1));
                }
            }
            Err(reason) => {
                let is_ours = magic == MAGIC && rest.len() >= VERSION.len();
                assert_eq!(reason.contains("magic number"), !is_ours, "{reason}");
                let is_other = is_ours && !rest.starts_with(&VERSION);
                assert_eq!(reason.contains("speaks version"), is_other, "{reason}");
            }
        }
    }
    Verdict::of(hello.is_ok() || welcome.is_ok())
}
