//! Lists and maps of arrays that are not what they claim.

use super::*;

/// Calls a function with the three elements in the frame.
fn call(host: &Host, path: &str, body: Bytes) {
    let three = Handle::row_inline(dtype::I64, 3);
    let elements = Bytes::new().i64(1).i64(2).i64(3).done();
    host.call_inline(1, path, &[three], &elements, &body.done());
}

#[test]
fn a_list_is_its_length_and_then_the_indexes() {
    let host = greeted();
    call(&host, "stacks.sums", Bytes::new().u64(2).u32(0).u32(0));
    let sums = Bytes::new().u64(2).i64(6).i64(6).done();
    assert_eq!(host.result(1), sums);
    host.shut_down();
}

#[test]
fn a_list_that_claims_more_than_there_is_fails_the_call() {
    let host = greeted();
    for n in [2, 1 << 40, u64::MAX] {
        call(&host, "stacks.sums", Bytes::new().u64(n).u32(0));
        let failure = host.failure(1);
        let Failure::BadArgument { argument, reason } = failure else {
            panic!("{failure:?}");
        };
        if n == 2 {
            assert_eq!(argument, "rows[1]");
        } else {
            let expected = format!("it has {n} parts in 4 bytes");
            assert_eq!((argument, reason), ("rows".to_owned(), expected));
        }
    }
    host.assert_alive();
}

#[test]
fn a_part_that_does_not_fit_is_named() {
    let host = greeted();
    let beyond = Bytes::new().u64(2).u32(0).u32(1);
    call(&host, "stacks.sums", beyond);
    let reason = "it names array 1 of 1";
    assert_eq!(host.failure(1), bad_argument("rows[1]", reason));
    let weights = Bytes::new().u32(0).u32(0).u32(0);
    call(&host, "stacks.mix", weights);
    let failure = host.failure(1);
    let Failure::BadArgument { argument, reason } = failure else {
        panic!("{failure:?}");
    };
    assert_eq!(argument, "channels[0]");
    assert!(reason.starts_with("an array of f32 with 1 dimensions is expected"));
    host.assert_alive();
}

#[test]
fn an_array_for_writing_is_taken_by_one_part() {
    let (host, _memory) = lending_four_for_writing();
    let row = Handle::row(1, dtype::U32, 4).on(Terms::ReadWrite);
    let twice = Bytes::new().u64(2).u32(0).u32(0).done();
    host.call(1, "stacks.number", &[row], &twice);
    let reason = "the array was taken by another argument already";
    assert_eq!(host.failure(1), bad_argument("rows[1]", reason));
    host.assert_alive();
}

#[test]
fn a_key_of_any_length_is_named_by_its_beginning() {
    let host = greeted();
    // A part is there, and the index of its array isn't one.
    let pick = |number: u64, key: &str| {
        let entry = Bytes::new().u64(1).run(key).u64(1).u8(1).u32(1);
        host.call(number, "stacks.pick", &[], &entry.done());
        let Failure::BadArgument { argument, .. } = host.failure(number) else {
            panic!("there is no array");
        };
        argument
    };
    assert_eq!(pick(1, "tile"), "tiles[\"tile\"][0]");
    let beginning = "\u{e4}".repeat(31);
    assert_eq!(
        pick(2, &"\u{e4}".repeat(10_000)),
        format!("tiles[\"{beginning}..][0]")
    );
    host.assert_alive();
}
