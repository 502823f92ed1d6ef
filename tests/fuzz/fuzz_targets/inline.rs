#![no_main]

use reedbed_decoders::INLINE;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reedbed_fuzz::check(&INLINE, bytes));
