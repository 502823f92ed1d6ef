//! Hosts that write into rings what no host writes.

use super::*;

/// Writes the header of the first slot, rings, and checks what the worker says of it.
fn assert_violation(header: [u8; 8], what: &str) {
    let mut talk = Talk::begin(16);
    let slot = talk.rings.outgoing().slot(0);
    talk.rings.memory().write(slot, &header);
    talk.message(&frame::bell());
    talk.host.assert_violation(what);
}

#[test]
fn a_frame_of_no_length_is_a_violation() {
    assert_violation(
        rings::header(0, 0, 0),
        "put a frame of 0 bytes into the ring",
    );
    let what = "put a frame of 65537 bytes into the ring";
    assert_violation(rings::header(0, 0, 65_537), what);
    let what = "put a frame of 131071 bytes into the ring";
    assert_violation(rings::header(0, 0, 0x1_ffff), what);
}

#[test]
fn a_frame_without_its_further_slots_is_a_violation() {
    let what = "left slot 1 out of a frame of 100 bytes";
    assert_violation(rings::header(0, 0, 100), what);
}

#[test]
fn a_message_that_was_counted_and_not_sent_is_a_violation() {
    let what = "counted a message on the socket that isn't there";
    // One was sent.
    assert_violation(rings::header(0, 2, 4), what);
    assert_violation(rings::header(0, 0x7fff, 4), what);
}

#[test]
fn a_frame_of_garbage_is_a_violation() {
    let mut talk = Talk::begin(16);
    talk.frame(&[0xff; 100]);
    talk.host.assert_violation("sent a malformed frame");
}

#[test]
fn a_descriptor_can_not_come_through_a_ring() {
    let mut talk = Talk::begin(16);
    talk.frame(&frame::segment(1, 64, false));
    talk.host
        .assert_violation("announced segment 1 without a descriptor");
}

#[test]
fn a_place_where_no_consumer_can_be_is_a_violation() {
    // Before and after every place that there is, given what was written.
    for claimed in [5000, u32::MAX, 1100] {
        let mut talk = Talk::begin(16);
        let place = talk.rings.incoming().word(0);
        talk.rings.memory().write(place, &claimed.to_le_bytes());
        // The first answer takes 1073 slots, so the second has to know.
        for call in 1..=2 {
            talk.message(&echo(call, &"x".repeat(60_000)).0);
        }
        let what =
            format!("claims to have read up to slot {claimed} of a ring that is written up to 107");
        talk.host.assert_violation(&what);
    }
}

#[test]
fn a_bell_that_changes_all_the_time_keeps_nobody_from_being_heard() {
    let mut talk = Talk::begin(16);
    let (bell, copy) = (Ring::ToWorker.word(1), talk.rings.memory().try_clone());
    let values = std::sync::Mutex::new(noise(7));
    let scribble = || {
        let number = values.lock().expect("no panic").next().expect("no end");
        let word = u32::try_from(number % 5).expect("a small number");
        // Now and then something that means nothing.
        let word = if word > 2 { word << 20 } else { word };
        copy.write(bell, &word.to_le_bytes());
    };
    while_another(scribble, || {
        for n in 0..300 {
            let (call, text) = echo(n, "heard");
            talk.frame(&call);
            assert_eq!(talk.result(n), text);
        }
    });
    talk.assert_alive();
}

#[test]
fn garbage_all_over_the_ring_ends_the_worker_at_most() {
    let mut n_violations = 0;
    for seed in 1..=20 {
        let mut talk = Talk::begin(16);
        talk.assert_alive();
        let mut noise = noise(seed);
        let mut next = || noise.next().expect("no end");
        for _ in 0..50 {
            // Headers that are nearly right get furthest.
            let position = 1 + u32::try_from(next() % 64).expect("a small number");
            let header = rings::header(position, talk.n_sent, next() % 200);
            let slot = Ring::ToWorker.slot(position);
            let memory = talk.rings.memory();
            memory.write(slot, &header);
            memory.write(slot + 8, &next().to_le_bytes());
            memory.write(next() % (rings::LEN_BYTES - 8), &next().to_le_bytes());
            talk.n_sent += 1;
            if !talk.host.end().try_send(&frame::bell(), &[]) {
                break;
            }
        }
        talk.host.end().try_send(&frame::shutdown(), &[]);
        let ended = talk.host.ended();
        assert!(matches!(ended.code, Some(0 | 70)), "{seed}: {ended:?}");
        assert!(!ended.stderr.contains("panicked"), "{seed}: {ended:?}");
        n_violations += u32::from(ended.code == Some(70));
    }
    assert!(n_violations > 0, "none of it was where the worker looks");
}
