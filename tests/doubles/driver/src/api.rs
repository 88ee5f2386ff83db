//! The C functions: what each asks for, and which function of this library does it.

use std::ffi::{CStr, c_char, c_void};

use crate::code::{Code, Outcome};
use crate::driver::{Handle, Locked, Needs, call};
use crate::work::{HostFunction, Request};
use crate::{context, copies, device, event, graph, memory, stream};

/// Where a C function writes a result.
#[repr(transparent)]
struct Out<T>(*mut T);

impl<T> Out<T> {
    fn set(self, value: T) -> Outcome {
        if self.0.is_null() {
            return Err(Code::INVALID_VALUE);
        }
        // SAFETY: callers of the driver give null, or a place for a `T`.
        unsafe { self.0.write(value) };
        Ok(())
    }
}

/// Defines the C functions, and the table in which `cuGetProcAddress` finds them.
macro_rules! functions {
    ($($needs:ident $name:ident($($argument:ident: $kind:ty),*) |$driver:ident| $body:expr;)*) => {
        $(
            #[unsafe(no_mangle)]
            extern "C" fn $name($($argument: $kind),*) -> i32 {
                call(stringify!($name), Needs::$needs, |mut $driver: Locked| {
                    let _ = &mut $driver;
                    $body
                })
            }
        )*

        fn address_of(name: &[u8]) -> Option<*const c_void> {
            $(if stringify!($name).as_bytes() == name {
                return Some($name as *const c_void);
            })*
            None
        }

    };
}

functions! {
    Nothing cuDriverGetVersion(version: Out<i32>) |driver| version.set(driver.settings.version);
    Nothing cuGetErrorName(error: Code, name: Out<*const c_char>) |_driver| set_text(name, error.name());
    Nothing cuGetErrorString(error: Code, words: Out<*const c_char>) |_driver| set_text(words, error.words());
    Nothing cuInit(flags: u32) |driver| device::init(&driver, flags);

    Init cuDeviceGetCount(count: Out<i32>) |driver| count.set(device::count(&driver));
    Init cuDeviceGet(found: Out<i32>, number: i32) |driver| found.set(device::get(&driver, number)?);
    Init cuDeviceGetName(name: *mut c_char, len: i32, device: i32) |driver| device::name(&driver, name, len, device);
    Init cuDeviceTotalMem_v2(bytes: Out<usize>, device: i32) |driver| bytes.set(device::total_memory(&driver, device)?);
    Init cuDeviceGetAttribute(value: Out<i32>, which: i32, device: i32) |driver|
        value.set(device::attribute(&driver, which, device)?);
    Init cuDeviceComputeCapability(major: Out<i32>, minor: Out<i32>, device: i32) |driver| {
        let (most, least) = device::compute_capability(&driver, device)?;
        major.set(most)?;
        minor.set(least)
    };
    Init cuDevicePrimaryCtxRetain(context: Out<Handle>, device: i32) |driver| {
        let device = device::get(&driver, device)?;
        context.set(context::retain(&mut driver, device))
    };
    Init cuDevicePrimaryCtxRelease_v2(device: i32) |driver| context::release(&mut driver, device);
    Init cuCtxDetach(context: Handle) |driver| context::detach(&mut driver, context); // how pycuda releases one

    Init cuCtxPushCurrent_v2(context: Handle) |driver| context::push(&mut driver, context);
    Init cuCtxPopCurrent_v2(popped: Out<Handle>) |driver| {
        let context = context::pop(&mut driver)?;
        if popped.0.is_null() { Ok(()) } else { popped.set(context) }
    };
    Init cuCtxGetCurrent(context: Out<Handle>) |_driver| context.set(context::get_current());
    Init cuCtxSetCurrent(context: Handle) |driver| context::set_current(&mut driver, context);
    Context cuCtxGetDevice(device: Out<i32>) |driver| device.set(context::get_device(&mut driver)?);
    Context cuCtxSynchronize() |driver| context::synchronize(driver);

    Context cuMemGetInfo_v2(free: Out<usize>, total: Out<usize>) |driver| {
        let (left, all) = memory::info(&mut driver)?;
        free.set(left)?;
        total.set(all)
    };
    Context cuMemAlloc_v2(address: Out<u64>, len: usize) |driver| address.set(memory::allocate(&mut driver, len)?);
    Context cuMemFree_v2(address: u64) |driver| memory::free(&mut driver, address);
    Context cuMemHostAlloc(address: Out<usize>, len: usize, _flags: u32) |driver|
        address.set(memory::allocate_host(&mut driver, len)?);
    Context cuMemAllocHost_v2(address: Out<usize>, len: usize) |driver|
        address.set(memory::allocate_host(&mut driver, len)?);
    Context cuMemFreeHost(address: usize) |driver| memory::free_host(&mut driver, address);

    Context cuMemcpyHtoD_v2(to: u64, from: usize, len: usize) |driver| copies::to_device(driver, to, from, len);
    Context cuMemcpyDtoH_v2(to: usize, from: u64, len: usize) |driver| copies::to_host(driver, to, from, len);
    Context cuMemcpyDtoD_v2(to: u64, from: u64, len: usize) |driver| copies::on_device(driver, to, from, len);
    Context cuMemsetD8_v2(to: u64, value: u8, len: usize) |driver| copies::fill(driver, to, value, len);
    Context cuMemcpyHtoDAsync_v2(to: u64, from: usize, len: usize, stream: Handle) |driver|
        copies::to_device_async(driver, to, from, len, stream);
    Context cuMemcpyDtoHAsync_v2(to: usize, from: u64, len: usize, stream: Handle) |driver|
        copies::to_host_async(driver, to, from, len, stream);
    Context cuMemcpyDtoDAsync_v2(to: u64, from: u64, len: usize, stream: Handle) |driver|
        stream::submit(&mut driver, stream, Request::CopyOnDevice { to, from, len });
    Context cuMemsetD8Async(to: u64, value: u8, len: usize, stream: Handle) |driver|
        stream::submit(&mut driver, stream, Request::Fill { to, value, len });

    Context cuStreamCreate(stream: Out<Handle>, flags: u32) |driver| stream.set(stream::create(&mut driver, flags)?);
    Context cuStreamDestroy_v2(stream: Handle) |driver| stream::destroy(&mut driver, stream);
    Context cuStreamQuery(stream: Handle) |driver| stream::query(&mut driver, stream);
    Context cuStreamSynchronize(stream: Handle) |driver| stream::synchronize(driver, stream);
    Context cuStreamWaitEvent(stream: Handle, event: Handle, flags: u32) |driver|
        event::wait(&mut driver, stream, event, flags);
    Context cuLaunchHostFunc(stream: Handle, function: HostFunction, data: usize) |driver|
        stream::submit(&mut driver, stream, Request::Call { function, data });

    Context cuEventCreate(event: Out<Handle>, flags: u32) |driver| event.set(event::create(&mut driver, flags)?);
    Context cuEventDestroy_v2(event: Handle) |driver| event::destroy(&mut driver, event);
    Context cuEventRecord(event: Handle, stream: Handle) |driver| event::record(&mut driver, event, stream);
    Context cuEventQuery(event: Handle) |driver| event::query(&mut driver, event);
    Context cuEventSynchronize(event: Handle) |driver| event::synchronize(driver, event);
    Context cuEventElapsedTime_v2(milliseconds: Out<f32>, start: Handle, end: Handle) |driver|
        milliseconds.set(event::elapsed(&mut driver, start, end)?);

    Context cuStreamBeginCapture_v2(stream: Handle, mode: u32) |driver| graph::begin(&mut driver, stream, mode);
    Context cuStreamEndCapture(stream: Handle, graph: Out<Handle>) |driver| match graph::end(&mut driver, stream) {
        Ok(handle) => graph.set(handle),
        Err(code) => graph.set(0).and(Err(code)),
    };
    Context cuStreamIsCapturing(stream: Handle, status: Out<i32>) |driver|
        status.set(graph::status(&mut driver, stream)?);
    Init cuGraphInstantiateWithFlags(executable: Out<Handle>, graph: Handle, flags: u64) |driver|
        executable.set(graph::instantiate(&mut driver, graph, flags)?);
    Init cuGraphDestroy(graph: Handle) |driver| graph::destroy(&mut driver, graph);
    Init cuGraphExecDestroy(executable: Handle) |driver| graph::destroy_executable(&mut driver, executable);
    Context cuGraphLaunch(executable: Handle, stream: Handle) |driver| graph::launch(&mut driver, executable, stream);
}

fn set_text(out: Out<*const c_char>, text: Option<&'static CStr>) -> Outcome {
    out.set(text.map_or(std::ptr::null(), CStr::as_ptr))?;
    text.map(|_| ()).ok_or(Code::INVALID_VALUE)
}

/// Functions are asked for by their plain names; the newest version is given.
const OTHER_NAMES: [(&[u8], &[u8]); 1] = [(b"cuGraphInstantiate", b"cuGraphInstantiateWithFlags")];
const VERSIONS: [&str; 3] = ["_v2", "_v3", "_v4"];
const SYMBOL_NOT_FOUND: i32 = 1;

/// Find a function: cuda-python finds all of them by this one.
///
/// # Safety
///
/// `symbol` is a C string, `function` a place for an address, and `status` one for a number, or null.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn cuGetProcAddress_v2(
    symbol: *const c_char,
    function: *mut *const c_void,
    _version: i32,
    _flags: u64,
    status: *mut i32,
) -> i32 {
    // SAFETY: the caller's promise.
    let symbol = unsafe { CStr::from_ptr(symbol) }.to_bytes();
    let symbol = OTHER_NAMES.iter().find(|(plain, _)| *plain == symbol).map_or(symbol, |(_, name)| name);
    let found = if symbol == b"cuGetProcAddress" {
        Some(cuGetProcAddress_v2 as *const c_void)
    } else {
        let newer = VERSIONS.iter().find_map(|version| address_of(&[symbol, version.as_bytes()].concat()));
        newer.or_else(|| address_of(symbol))
    };
    // SAFETY: the caller's promise.
    unsafe { function.write(found.unwrap_or(std::ptr::null())) };
    if !status.is_null() {
        // SAFETY: the caller's promise.
        unsafe { status.write(if found.is_some() { 0 } else { SYMBOL_NOT_FOUND }) };
    }
    if found.is_some() { 0 } else { Code::NOT_FOUND.0 }
}
