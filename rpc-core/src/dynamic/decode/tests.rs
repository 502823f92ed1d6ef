//! Replies that don't fit, and types that no honest worker describes.

use proptest::prelude::*;

use super::*;
use crate::call::incoming::Parcel;
use crate::call::outgoing::Outgoing;
use crate::channel::socket::{self, Socket};
use crate::channel::{Channel, Terms};
use crate::dynamic::encode::Encoder;
use crate::dynamic::parse::{MAX_TYPES, parse, tests::types};
use crate::segment::lease::Holder;

fn decoded(ty: &Type, body: &[u8]) -> Result<Outcome, Failure> {
    let parcel = Parcel::new(Vec::new(), body.to_vec());
    let mut incoming = parcel.open();
    let outcome = decode(&mut incoming, ty)?;
    incoming.finish()?;
    Ok(outcome)
}

fn outgoing() -> Outgoing<'static> {
    let (socket, _theirs) = socket::pair().unwrap();
    let channel = Channel::new(Socket::new(socket), Terms::of_a_test()).unwrap();
    Outgoing::new(Holder::Other("a test"), false, &channel)
}

#[test]
fn a_reply_that_does_not_fit_is_an_error() {
    let endless = [1u8; 4096];
    let many = (1u64 << 60).to_le_bytes();
    for (text, body, reason) in [
        ("bool", &[7u8][..], ""),
        ("u32", &[1, 2], ""),
        ("u8", &[1, 2], "1 bytes are left over"),
        ("string", &[1, 0, 0, 0, 0, 0, 0, 0, 0xff], ""),
        ("list<u64>", &many, ""),
        ("list<u8>", &many, ""),
        ("list<()>", &many, "more than 4194304 values"),
        ("array 1000000000000<()>", &[], "more than 4194304 values"),
        (
            "enum E { A {  } }",
            &[1, 0, 0, 0],
            "there is no variant 1 of 1",
        ),
        (
            "result<u8, u8>",
            &[2, 0, 0, 0, 0],
            "there is no variant 2 of 2",
        ),
        ("struct S { s: recursive 0 }", &[], "deeper than 128 levels"),
        ("option<recursive 0>", &endless, "deeper than 128 levels"),
        ("recursive 3", &[], "leads nowhere"),
        ("own ndarray<u8, 1>", &[0; 4], "it names array 0 of 0"),
        ("own segment", &[0; 4], "it names array 0 of 0"),
        ("shared u64", &[0; 4], "it names array 0 of 0"),
        ("tuple<opaque O \"1\", u8>", &[0; 4], "can't be read"),
        ("something new", &[0; 4], "can't be read"),
        ("instance", &[0; 8], "is not a new one"),
    ] {
        let ty = parse(text, &mut { MAX_TYPES });
        let Err(Failure::BadArgument { reason: found, .. }) = decoded(&ty, body) else {
            panic!("{text} fits");
        };
        assert!(found.contains(reason), "{text}: {found}");
    }
}

/// Runs a test on half of the stack that a thread has.
fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(1024 * 1024);
    thread.spawn(test).unwrap().join().unwrap();
}

#[test]
fn the_deepest_value_leaves_half_of_the_stack_alone() {
    // 128 levels: each an option, or a list, or a field, and the next one inside.
    for (text, level) in [
        ("option<recursive 0>", &[1u8][..]),
        ("list<recursive 0>", &[1, 0, 0, 0, 0, 0, 0, 0]),
        ("struct S { next: option<recursive 1> }", &[1]),
        (
            "enum E { End {  }, More { 0: recursive 0 } }",
            &[1, 0, 0, 0],
        ),
        ("tuple<option<recursive 1>, ()>", &[1]),
        ("map<u8, recursive 0>", &[1, 0, 0, 0, 0, 0, 0, 0, 7]),
        ("array 1<option<recursive 1>>", &[1]),
    ] {
        let n_levels = if text.contains("recursive 1") {
            63
        } else {
            127
        };
        let body = [level.repeat(n_levels), vec![0; 8]].concat();
        on_a_small_stack(move || {
            let ty = parse(text, &mut { MAX_TYPES });
            let parcel = Parcel::new(Vec::new(), body.clone());
            let mut value = decode(&mut parcel.open(), &ty).unwrap().unwrap();
            let mut outgoing = outgoing();
            Encoder::new(&mut outgoing, "x").argument(&mut value, &ty);
            outgoing.finish().unwrap();
            assert!(body.starts_with(&outgoing.body), "{text}");
            assert!(outgoing.body.len() > body.len() - 8, "{text}");
        });
    }
}

proptest! {
    /// What any bytes spell is written back as the same bytes; nothing panics.
    #[test]
    fn whatever_is_read_is_written_back(
        ty in types(),
        body in prop::collection::vec(prop_oneof![3 => 0u8..2, 1 => any::<u8>()], 0..48),
    ) {
        let Ok(outcome) = decoded(&ty, &body) else {
            return Ok(());
        };
        // A result at the top lost its number, and floats may spell a NaN in many ways.
        if matches!(ty, Type::Result { .. }) || ty.to_string().contains("f32") {
            return Ok(());
        }
        let mut outgoing = outgoing();
        let mut value = outcome.expect("no result at the top");
        Encoder::new(&mut outgoing, "x").argument(&mut value, &ty);
        let sent = outgoing.finish();
        prop_assert!(sent.is_ok(), "{:?}: {:?}", ty, sent);
        prop_assert_eq!(outgoing.body, body);
    }
}
