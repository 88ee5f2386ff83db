//! A pretend CUDA driver: the functions of `libcuda.so.1` that pycuda and cuda-python call, for machines without a GPU.
//!
//! What a GPU would do is done on the host, as late as a GPU would: each stream has a thread, which takes its
//! operations one after the other, each after a delay. What the driver's documentation forbids is answered by the error
//! code that it names. What it merely leaves undefined (memory that is read too early, freed while it is in use, used
//! after it was freed) reads as poison and is written into a report, which a test can ask for.
//!
//! Device memory has addresses that no host has, so that the host cannot touch it by mistake.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `api` | the C functions, in one table |
//! | `control` | functions that no driver has, by which tests set it up and read its report |
//! | `code` | error codes, their names and their words |
//! | `driver` | the state, what is wrong on purpose, the report |
//! | `device`, `context`, `memory`, `copies`, `stream`, `event`, `graph` | what the C functions do |
//! | `work` | what is put on streams |

mod api;
mod code;
mod context;
mod control;
mod copies;
mod device;
mod driver;
mod event;
mod graph;
mod memory;
mod stream;
mod work;
