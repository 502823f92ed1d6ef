//! Names, lengths and lives of foreign segments.

use super::*;
use std::sync::atomic::Ordering::Relaxed;

#[test]
fn bytes_and_atomics_are_the_same_memory() {
    let made = ForeignSegment::create(64).unwrap();
    let opened = ForeignSegment::open(&format!("/{}", made.name())).unwrap();
    assert_eq!(made.identity(), opened.identity());
    made.write_from(8, &7u64.to_le_bytes()).unwrap();
    opened.atomic::<u64>(8).unwrap().fetch_add(1, Relaxed);
    let mut bytes = [0; 8];
    made.read_into(8, &mut bytes).unwrap();
    assert_eq!(u64::from_le_bytes(bytes), 8);
    // SAFETY: nobody else knows the name, so nobody writes (invariant 2 of `foreign`).
    assert_eq!(unsafe { opened.as_bytes() }[8], 8);
    assert_eq!(opened.len_bytes(), 64);
}

#[test]
fn what_is_an_atomic_of_one_size_is_none_of_another() {
    let segment = ForeignSegment::create(64).unwrap();
    let offset = |place: &dyn std::any::Any| (&raw const *place).addr();
    let first = segment.atomic::<u64>(8).unwrap();
    assert_eq!(offset(first), offset(segment.atomic::<f64>(8).unwrap()));
    for at in [8, 12] {
        let message = segment.atomic::<u32>(at).unwrap_err().to_string();
        let said = format!("byte {at} of segment `{}` can't be", segment.name());
        assert!(message.starts_with(&said), "{message}");
        assert!(message.ends_with("there is one of 8 already; use one type for both"));
    }
    assert!(segment.atomic::<bool>(15).is_err());
    // Beside it, each place is its own.
    segment.atomic::<u16>(6).unwrap();
    segment.atomic::<bool>(16).unwrap();
    segment.atomic::<u32>(20).unwrap();
    assert!(segment.atomic::<u64>(0).is_err() && segment.atomic::<u64>(16).is_err());
    assert!(segment.atomic::<u8>(17).is_ok() && segment.atomic::<u16>(16).is_err());
}

#[test]
fn who_opens_a_segment_does_not_unlink_it() {
    let made = ForeignSegment::create(8).unwrap();
    drop(ForeignSegment::open(made.name()).unwrap());
    assert!(path(made.name()).exists());
    let left = made.leave();
    assert!(path(&left).exists());
    fs::remove_file(path(&left)).unwrap();
}

#[test]
fn a_name_that_is_another_segments_now_is_left_alone() {
    let made = ForeignSegment::create(8).unwrap();
    let name = made.name().to_owned();
    fs::remove_file(path(&name)).unwrap();
    let other = ForeignSegment::create_named(&name, 16).unwrap();
    drop(made);
    assert!(path(&name).exists());
    drop(other);
    assert!(!path(&name).exists());
}

#[test]
fn elements_outside_or_across_are_refused() {
    let segment = ForeignSegment::create(16).unwrap();
    let message = segment.read_into(9, &mut [0; 8]).unwrap_err().to_string();
    let said = format!("of segment `{}`, which has 16 bytes", segment.name());
    assert!(
        message.starts_with("bytes 9 to 17 are outside"),
        "{message}"
    );
    assert!(message.ends_with(&said), "{message}");
    assert!(segment.write_from(usize::MAX, &[1]).is_err());
    assert!(segment.to_tensor::<u64, _>((usize::MAX, 2)).is_err());
    let message = segment.atomic::<u32>(2).unwrap_err().to_string();
    assert!(
        message.contains("doesn't begin an element of type u32"),
        "{message}"
    );
    assert!(segment.atomic::<u32>(16).is_err());
}

#[test]
fn a_bool_that_is_neither_0_nor_1_is_refused() {
    let segment = ForeignSegment::create(2).unwrap();
    segment.write_from(0, &[1, 2]).unwrap();
    assert!(segment.to_tensor::<bool, _>(1).is_ok());
    let message = segment.to_tensor::<bool, _>(2).unwrap_err().to_string();
    assert!(message.contains("neither 0 nor 1"), "{message}");
}

#[test]
fn a_shortened_file_is_an_error_and_not_a_signal() {
    let segment = ForeignSegment::create(8192).unwrap();
    let opened = ForeignSegment::open(segment.name()).unwrap();
    segment.file.set_len(100).unwrap();
    for error in [
        opened.read_into(4000, &mut [0; 8]).unwrap_err(),
        opened.write_from(4000, &[0; 8]).unwrap_err(),
        opened.to_tensor::<u8, _>(8192).unwrap_err(),
        opened.atomic::<u64>(0).unwrap_err(),
    ] {
        let message = error.to_string();
        let said = "it had 8192 bytes when it was opened, and ends at byte 100 now";
        assert!(message.contains(said), "{message}");
    }
}

#[test]
fn names_are_checked() {
    let long = "x".repeat(256);
    for (name, reason) in [
        ("", "it is empty"),
        ("/", "it is empty"),
        ("..", "it means a folder"),
        ("a/b", "it has a slash inside"),
        ("//a", "it has a slash inside"),
        ("a\0b", "it has a zero byte"),
        (&long, "it is longer than 255 bytes"),
    ] {
        for refused in [
            ForeignSegment::open(name),
            ForeignSegment::create_named(name, 8),
        ] {
            let message = refused.unwrap_err().to_string();
            assert!(message.ends_with(reason), "{message}");
        }
    }
}

#[test]
fn a_name_in_use_and_no_bytes_are_refused() {
    let segment = ForeignSegment::create(8).unwrap();
    let name = segment.name();
    let message = ForeignSegment::create_named(name, 8)
        .unwrap_err()
        .to_string();
    let said = format!("there is a segment called `{name}` already");
    assert!(message.starts_with(&said), "{message}");
    assert!(path(name).exists(), "the one that was there stays");
    let message = ForeignSegment::create(0).unwrap_err().to_string();
    assert!(message.ends_with("has no bytes"), "{message}");
    segment.file.set_len(0).unwrap();
    let message = ForeignSegment::open(name).unwrap_err().to_string();
    assert!(message.ends_with("has no bytes"), "{message}");
}
