#![no_main]

use reedbed_decoders::HANDLE;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reedbed_fuzz::check(&HANDLE, bytes));
