//! A write(2) of its own that always succeeds.

#[unsafe(no_mangle)]
pub extern "C" fn write(_fd: i32, _bytes: *const u8, count: usize) -> isize {
    count as isize
}

#[unsafe(no_mangle)]
pub extern "C" fn read(_fd: i32, _bytes: *mut u8, count: usize) -> isize {
    count as isize
}
