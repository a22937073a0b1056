//! The function of the C library that stands behind one of a preloaded library's own.
//!
//! What `disk-faults` and `crash-shim` have in common, and nothing of what either does.

#![cfg(target_os = "linux")]

use std::ffi::CStr;

/// Finds the next function of a name; the process ends when there is none, because nothing could go on without it.
#[must_use]
pub fn find(name: &CStr) -> *mut std::ffi::c_void {
    // SAFETY: the name is a C string, and looking it up has no other effect.
    let found = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
    if found.is_null() {
        std::process::abort();
    }
    found
}

/// `next!("name")`: that function, looked up once.
#[macro_export]
macro_rules! next {
    ($name:literal) => {{
        static FOUND: std::sync::atomic::AtomicPtr<std::ffi::c_void> =
            std::sync::atomic::AtomicPtr::new(std::ptr::null_mut());
        let mut found = FOUND.load(std::sync::atomic::Ordering::Relaxed);
        if found.is_null() {
            let name: &std::ffi::CStr = match std::ffi::CStr::from_bytes_with_nul(concat!($name, "\0").as_bytes()) {
                Ok(name) => name,
                Err(_) => std::process::abort(),
            };
            found = $crate::find(name);
            FOUND.store(found, std::sync::atomic::Ordering::Relaxed);
        }
        // SAFETY: the C library's function of that name has the signature that the caller writes down.
        unsafe { std::mem::transmute(found) }
    }};
}
