//! Which way of hashing many messages this processor has.

#[cfg(target_arch = "x86_64")]
use super::lanes_x86::ShaNi;

/// A way of hashing many messages.
#[derive(Clone, Copy, Debug)]
pub(super) enum Backend {
    /// Interleaved streams of the SHA extensions of x86-64.
    #[cfg(target_arch = "x86_64")]
    ShaNi(ShaNi),
    /// One message after the other, in the best stream the processor has.
    Serial,
}

impl Backend {
    /// The fastest that works here.
    pub(super) fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(lanes) = ShaNi::detect() {
            return Self::ShaNi(lanes);
        }
        Self::Serial
    }

    fn lanes(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::ShaNi(_) => ShaNi::LANES,
            Self::Serial => 1,
        }
    }
}

/// How many messages [`sha1_many`](super::sha1_many) hashes side by side on this processor: batches
/// of a multiple of this number are the most efficient. At least 1.
pub fn lanes() -> usize {
    Backend::best().lanes()
}

/// How this processor hashes many messages, in a word or two, such as `sha-ni x4`.
pub fn describe() -> String {
    let best = Backend::best();
    match best {
        #[cfg(target_arch = "x86_64")]
        Backend::ShaNi(_) => format!("sha-ni x{}", best.lanes()),
        Backend::Serial => "serial".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_names_the_lanes() {
        match lanes() {
            1 => assert_eq!(describe(), "serial"),
            n => assert_eq!(describe(), format!("sha-ni x{n}")),
        }
    }
}
