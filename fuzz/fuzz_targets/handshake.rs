#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| torr_fuzz::handshake::run(data));
