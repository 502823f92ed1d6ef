//! Arrays that travel in the frame: as they should, and as they must not.

use super::*;

/// 1, 2, 3 as `i64`, behind 16 bytes of something else.
fn behind_others() -> (Handle, Vec<u8>) {
    let handle = Handle {
        offset_bytes: 16,
        ..Handle::row_inline(dtype::I64, 3)
    };
    let bytes = Bytes::new().raw(&[0xff; 16]);
    (handle, bytes.i64(1).i64(2).i64(3).done())
}

/// Sends `handle` to a function and expects the worker to end, saying `what` about the array.
fn assert_violation(handle: Handle, inline: &[u8], what: &str) {
    let host = greeted();
    host.call_inline(1, "arrays.sum", &[handle], inline, &arrays(1));
    host.assert_violation(&format!("sent an array in its frame, which {what}"));
}

#[test]
fn an_array_in_the_frame_needs_no_segment() {
    let host = greeted();
    let (three, bytes) = behind_others();
    host.call_inline(
        1,
        "arrays.sum",
        std::slice::from_ref(&three),
        &bytes,
        &arrays(1),
    );
    assert_eq!(host.result(1), 6i64.to_le_bytes());
    let reversed = Handle {
        offset_bytes: 32,
        strides: vec![-1],
        ..three
    };
    host.call_inline(2, "arrays.sum", &[reversed], &bytes, &arrays(1));
    assert_eq!(host.result(2), 6i64.to_le_bytes());
    host.shut_down();
}

#[test]
fn several_handles_may_read_the_same_elements() {
    let host = greeted();
    let matrix = Handle {
        shape: vec![1, 2],
        strides: vec![2, 1],
        ..Handle::row_inline(dtype::F64, 2)
    };
    let transposed = Handle {
        shape: vec![2, 1],
        strides: vec![1, 2],
        ..matrix.clone()
    };
    let bytes = Bytes::new().f64(3.0).f64(4.0).done();
    host.call_inline(
        1,
        "arrays.product",
        &[matrix, transposed],
        &bytes,
        &arrays(2),
    );
    let Frame::Returned {
        handles, inline, ..
    } = host.receive()
    else {
        panic!("a matrix is expected");
    };
    let product = Handle {
        shape: vec![1, 1],
        ..Handle::row_inline(dtype::F64, 1).on(Terms::Moved(0))
    };
    let product = Handle {
        strides: vec![1, 1],
        ..product
    };
    assert_eq!(handles, [product]);
    assert_eq!(inline, 25f64.to_le_bytes());
    // Nothing is owed for it.
    host.shut_down();
}

#[test]
fn an_array_that_is_given_in_the_frame_is_the_workers() {
    let host = greeted();
    let two = Handle::row_inline(dtype::F64, 2).on(Terms::Moved(0));
    let bytes = Bytes::new().f64(1.0).f64(2.0).done();
    host.call_inline(
        1,
        "arrays.take",
        std::slice::from_ref(&two),
        &bytes,
        &arrays(1),
    );
    assert_eq!(host.result(1), 3f64.to_le_bytes());
    host.call_inline(2, "arrays.pass_on", &[two], &bytes, &arrays(1));
    let (segment, memory) = host.receive_segment();
    let Frame::Returned { handles, .. } = host.receive() else {
        panic!("an array is expected");
    };
    assert_eq!((handles[0].origin, handles[0].segment), (0, segment));
    assert_eq!(memory.f64(handles[0].offset_bytes + 8), 4.0);
    host.shut_down();
}

#[test]
fn elements_outside_the_frame_are_a_violation() {
    let (three, bytes) = behind_others();
    let outside = |first: i64, end: i64| {
        format!(
            "can't hold it: elements from byte {first} to byte {end} are outside the 40 bytes that \
             there are"
        )
    };
    let at = |offset_bytes, n, stride| Handle {
        offset_bytes,
        shape: vec![n],
        strides: vec![stride],
        ..three.clone()
    };
    assert_violation(at(16, 4, 1), &bytes, &outside(16, 48));
    assert_violation(at(48, 0, 1), &bytes, &outside(48, 48));
    assert_violation(at(0, 2, -1), &bytes, &outside(-8, 8));
    assert_violation(at(0, 1 << 50, 1), &bytes, &outside(0, 1 << 53));
    assert_violation(at(0, 1 << 61, 1), &bytes, "can't hold it: shape");
    assert_violation(
        at(u64::MAX - 15, 1, 1),
        &bytes,
        "can't hold it: elements from byte 18446744073709551600",
    );
}

#[test]
fn elements_off_the_boundary_are_a_violation() {
    let (three, bytes) = behind_others();
    let at_eight = Handle {
        offset_bytes: 8,
        ..three
    };
    let what = "begins at byte 8, not at a multiple of 16";
    assert_violation(at_eight, &bytes, what);
}

#[test]
fn a_copy_is_neither_lent_for_writing_nor_ended_nor_returned() {
    let (three, bytes) = behind_others();
    let what = "is handed over on terms that a copy can't keep";
    for terms in [Terms::ReadWrite, Terms::Moved(1), Terms::Returned(0)] {
        assert_violation(three.clone().on(terms), &bytes, what);
    }
}

#[test]
fn an_array_in_the_frame_that_names_a_segment_is_a_violation() {
    let (three, bytes) = behind_others();
    let in_both = Handle {
        segment: 1,
        ..three
    };
    assert_violation(in_both, &bytes, "names a segment all the same");
}

#[test]
fn a_bool_in_the_frame_that_is_neither_0_nor_1_does_no_harm() {
    let three = Handle::row_inline(dtype::BOOL, 3);
    let what = "has a bool that is neither 0 nor 1";
    assert_violation(three, &[0, 1, 2], what);
}

#[test]
fn giving_one_place_over_and_over_is_a_violation() {
    let host = greeted();
    let two = Handle::row_inline(dtype::F64, 2).on(Terms::Moved(0));
    let handles = [two.clone(), two];
    host.call_inline(1, "arrays.take_both", &handles, &[0; 16], &arrays(2));
    host.assert_violation(
        "sent an array in its frame, which gives more than the 16 bytes that there are",
    );
}

#[test]
fn more_bytes_than_came_are_malformed() {
    let host = greeted();
    let (three, _) = behind_others();
    let function = function("arrays", "sum");
    let fields = Bytes::new().u32(4).u64(1).u64(function).u8(0).u8(0);
    let frame = fields.list(&[three], |bytes, handle| handle.write(bytes));
    host.send(&frame.u64(1 << 40).raw(&[0; 40]).done());
    host.assert_violation("sent a malformed frame");
}
