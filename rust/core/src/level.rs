//! Which instructions the hot loops may use.
//!
//! A hot loop is one safe function, written so that the compiler turns it into vector code, and compiled once for each
//! level by [`by_level!`]. It is the same source each time, so each level computes the same bits (nothing fuses a
//! multiplication and an addition), and the scalar level is the oracle of the others.

use crate::Error;

/// A set of instructions that this CPU has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level(Instructions);

/// All sets of this architecture, whether this CPU has them or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Instructions {
    /// What every CPU of the architecture has.
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "aarch64")]
    Neon,
}

impl Level {
    /// The level that every CPU has.
    pub const SCALAR: Self = Self(Instructions::Scalar);

    /// The levels of this CPU, the fastest last.
    pub fn available() -> impl Iterator<Item = Self> {
        let all = [
            (Instructions::Scalar, true),
            #[cfg(target_arch = "x86_64")]
            (Instructions::Avx2, is_x86_feature_detected!("avx2")),
            #[cfg(target_arch = "x86_64")]
            (Instructions::Avx512, has_avx512()),
            #[cfg(target_arch = "aarch64")]
            (Instructions::Neon, std::arch::is_aarch64_feature_detected!("neon")),
        ];
        all.into_iter().filter_map(|(instructions, is_there)| is_there.then_some(Self(instructions)))
    }

    pub(crate) fn instructions(self) -> Instructions {
        self.0
    }

    /// The fastest level of this CPU.
    #[must_use]
    pub fn best() -> Self {
        Self::available().last().unwrap_or(Self::SCALAR)
    }

    /// The level of that name.
    ///
    /// # Errors
    /// This CPU has no such level.
    #[expect(clippy::disallowed_methods, reason = "a few names")]
    pub fn named(name: &str) -> Result<Self, Error> {
        Self::available().find(|level| level.name() == name).ok_or_else(|| Error::Level {
            name: name.to_owned(),
            available: Self::available().map(Self::name).collect::<Vec<_>>().join(", "),
        })
    }

    /// Its name: "scalar", "avx2", "avx512" or "neon".
    #[must_use]
    pub fn name(self) -> &'static str {
        match self.0 {
            Instructions::Scalar => "scalar",
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512 => "avx512",
            #[cfg(target_arch = "aarch64")]
            Instructions::Neon => "neon",
        }
    }
}

/// Whether this CPU has AVX-512 as servers have it, and what the compiler takes for granted with it.
#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("f16c")
}

/// Declares a function that takes a [`Level`] and runs `$body`, a safe `#[inline(always)]` function, compiled for it.
macro_rules! by_level {
    (
        $(#[$attribute:meta])*
        $visibility:vis fn $name:ident $(<$generic:ident: $bound:path>)? ($($argument:ident: $type:ty),+ $(,)?) $(-> $output:ty)? = $body:ident
    ) => {
        $(#[$attribute])*
        $visibility fn $name $(<$generic: $bound>)? (level: $crate::Level, $($argument: $type),+) $(-> $output)? {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2")]
            fn avx2 $(<$generic: $bound>)? ($($argument: $type),+) $(-> $output)? {
                $body($($argument),+)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
            fn avx512 $(<$generic: $bound>)? ($($argument: $type),+) $(-> $output)? {
                $body($($argument),+)
            }
            #[cfg(target_arch = "aarch64")]
            #[target_feature(enable = "neon")]
            fn neon $(<$generic: $bound>)? ($($argument: $type),+) $(-> $output)? {
                $body($($argument),+)
            }
            match level.instructions() {
                $crate::level::Instructions::Scalar => $body($($argument),+),
                #[cfg(target_arch = "x86_64")]
                // SAFETY: non-scalar levels come only from `Level::available`, which checks that this CPU has them.
                $crate::level::Instructions::Avx2 => unsafe { avx2($($argument),+) },
                #[cfg(target_arch = "x86_64")]
                // SAFETY: as above.
                $crate::level::Instructions::Avx512 => unsafe { avx512($($argument),+) },
                #[cfg(target_arch = "aarch64")]
                // SAFETY: as above.
                $crate::level::Instructions::Neon => unsafe { neon($($argument),+) },
            }
        }
    };
}

pub(crate) use by_level;
