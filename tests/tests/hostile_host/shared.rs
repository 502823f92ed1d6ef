//! Cells that host and worker use at once: first as they should be, then not.

use super::*;

/// A host whose segment 1 holds eight `u64`, announced for writing.
fn sharing_eight() -> (Host, Memory) {
    let (host, memory) = (greeted(), Memory::new(64));
    host.announce_writable(1, &memory);
    (host, memory)
}

/// A single `f64` at this place in segment 1.
fn cell(offset_bytes: u64, transfer: u64) -> Handle {
    Handle {
        offset_bytes,
        shape: vec![],
        strides: vec![],
        ..Handle::row(1, dtype::F64, 1).on(Terms::Shared(transfer))
    }
}

/// The arguments of `cells.add`: the first array, and a number to add.
fn adding(value: f64) -> Vec<u8> {
    Bytes::new().u32(0).f64(value).done()
}

#[test]
fn a_shared_cell_is_changed_in_place_and_let_go_once() {
    let (host, memory) = sharing_eight();
    memory.write(8, &1.5f64.to_le_bytes());
    host.call(1, "cells.add", &[cell(8, 7)], &adding(2.0));
    assert_eq!(host.receive(), Frame::Ended { transfer: 7 });
    assert_eq!(host.result(1), 1.5f64.to_le_bytes());
    assert_eq!(memory.f64(8), 3.5);
    // The same cell once more, under a number of its own, and beside itself.
    host.call(2, "cells.add", &[cell(8, 8), cell(8, 9)], &adding(1.0));
    let mut ended = [host.receive(), host.receive()];
    ended.sort_by_key(|frame| format!("{frame:?}"));
    assert_eq!(ended, [8, 9].map(|transfer| Frame::Ended { transfer }));
    assert_eq!(host.result(2), 3.5f64.to_le_bytes());
    host.shut_down();
}

#[test]
fn a_cell_that_is_kept_comes_back_under_its_number() {
    let (host, memory) = sharing_eight();
    let counter = Handle {
        dtype: dtype::U64,
        ..cell(16, 3)
    };
    host.call(1, "cells.keep", std::slice::from_ref(&counter), &arrays(1));
    assert_eq!(host.result(1), []);
    host.call(2, "cells.add_to_kept", &[], &5u64.to_le_bytes());
    let Frame::Returned { handles, .. } = host.receive() else {
        panic!("the cell is expected");
    };
    assert_eq!(
        handles,
        [Handle {
            origin: 1,
            ..counter
        }]
    );
    assert_eq!(memory.read(16), 5u64.to_le_bytes());
    host.call(3, "cells.let_go", &[], &[]);
    // The worker may still be busy with forgetting what it returned.
    let mut last = [host.receive(), host.receive()];
    last.sort_by_key(|frame| !matches!(frame, Frame::Ended { .. }));
    assert_eq!(last[0], Frame::Ended { transfer: 3 });
    assert!(matches!(last[1], Frame::Returned { call: 3, .. }));
    host.shut_down();
}

#[test]
fn sharing_what_is_lent_or_moved_is_a_violation() {
    for (one, other) in [
        (Terms::Shared(1), Terms::Read),
        (Terms::Read, Terms::Shared(1)),
        (Terms::Shared(1), Terms::ReadWrite),
        (Terms::Moved(2), Terms::Shared(1)),
    ] {
        let (host, _memory) = sharing_eight();
        let handles = [cell(8, 0).on(one), cell(8, 0).on(other)];
        host.call(1, "cells.add", &handles, &adding(1.0));
        host.assert_violation("sent an array in segment 1 that overlaps another one in use");
    }
}

#[test]
fn sharing_one_place_in_two_sizes_is_a_violation() {
    for (offset_bytes, dtype) in [(8, dtype::U32), (12, dtype::U32), (15, dtype::U8)] {
        let (host, _memory) = sharing_eight();
        let part = Handle {
            dtype,
            ..cell(offset_bytes, 2)
        };
        host.call(1, "cells.add", &[cell(8, 1), part], &adding(1.0));
        host.assert_violation("sent an array in segment 1 that overlaps another one in use");
    }
}

#[test]
fn lending_what_the_worker_keeps_is_a_violation() {
    let (host, _memory) = sharing_eight();
    let counter = Handle {
        dtype: dtype::U64,
        ..cell(0, 1)
    };
    host.call(1, "cells.keep", &[counter], &arrays(1));
    assert_eq!(host.result(1), []);
    host.call(
        2,
        "arrays.sum",
        &[Handle::row(1, dtype::I64, 2)],
        &arrays(1),
    );
    host.assert_violation("sent an array in segment 1 that overlaps another one in use");
}

#[test]
fn cells_off_their_boundary_are_a_violation() {
    let (host, _memory) = sharing_eight();
    host.call(1, "cells.add", &[cell(4, 1)], &adding(1.0));
    host.assert_violation(
        "sent an array in segment 1, which can't hold it: byte 4 isn't a multiple of the 8 bytes \
         that f64 needs",
    );
}

#[test]
fn cells_in_a_segment_for_reading_are_a_violation() {
    let (host, memory) = (greeted(), Memory::new(64));
    host.announce(1, &memory);
    host.call(1, "cells.add", &[cell(8, 1)], &adding(1.0));
    host.assert_violation("sent an array in segment 1, which wasn't announced for writing");
}

#[test]
fn sharing_a_tensor_of_the_worker_as_a_cell_is_a_violation() {
    let host = greeted();
    host.call(1, "arrays.range", &[], &4u64.to_le_bytes());
    let _segment = host.receive_segment();
    let Frame::Returned { handles, .. } = host.receive() else {
        panic!("an array is expected");
    };
    let moved = Handle {
        origin: 1,
        ..handles[0].clone().on(Terms::Shared(1))
    };
    host.call(2, "cells.add", &[moved], &adding(1.0));
    host.assert_violation("sent an array in segment 1, which shares what was never shared with it");
}

#[test]
fn taking_a_cell_of_the_worker_for_a_tensor_is_a_violation() {
    for (terms, what) in [
        (Terms::Read, "that overlaps another one in use"),
        (Terms::ReadWrite, "that overlaps another one in use"),
        (
            Terms::Returned(1),
            ", which returns something else than was given",
        ),
    ] {
        let host = greeted();
        host.call(1, "cells.make", &[], &[]);
        let (_, memory) = host.receive_segment();
        let Frame::Returned { handles, .. } = host.receive() else {
            panic!("a cell is expected");
        };
        assert_eq!(memory.f64(handles[0].offset_bytes), 0.5);
        let theirs = Handle {
            origin: 1,
            ..handles[0].clone().on(terms)
        };
        host.call(2, "arrays.checksum", &[theirs], &arrays(1));
        let separator = if what.starts_with(',') { "" } else { " " };
        host.assert_violation(&format!("sent an array in segment 1{separator}{what}"));
    }
}

#[test]
fn a_cell_of_another_type_fails_the_call_alone() {
    let (host, _memory) = sharing_eight();
    let wrong = Handle {
        dtype: dtype::I64,
        ..cell(0, 1)
    };
    let run = Handle::row(1, dtype::F64, 2).on(Terms::Shared(2));
    for (handle, transfer, found) in [(wrong, 1, "i64 of shape []"), (run, 2, "f64 of shape [2]")] {
        host.call(1, "cells.add", &[handle], &adding(1.0));
        assert_eq!(host.receive(), Frame::Ended { transfer });
        let reason = format!("a cell of f64 is expected, in 0 dimensions, not one of {found}");
        assert_eq!(host.failure(1), bad_argument("cell", &reason));
    }
    host.call(
        2,
        "cells.add",
        &[cell(0, 3).on(Terms::Moved(3))],
        &adding(1.0),
    );
    assert_eq!(host.receive(), Frame::Ended { transfer: 3 });
    assert_eq!(
        host.failure(2),
        bad_argument("cell", "the cell must be shared")
    );
    host.assert_alive();
}
