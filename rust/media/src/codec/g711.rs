//! G.711 companding by tables (ITU-T G.711 tables 1a to 2b).

/// Offset that µ-law adds before it looks for the segment, at 16-bit scale (G.711 §3.2).
const ULAW_BIAS: i32 = 0x84;
/// Largest magnitude µ-law can carry at 16-bit scale.
const ULAW_CLIP: i32 = 32_635;

static ULAW_TO_LINEAR: [i16; 256] = {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = ulaw_value(code as u8);
        code += 1;
    }
    table
};
static ALAW_TO_LINEAR: [i16; 256] = {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = alaw_value(code as u8);
        code += 1;
    }
    table
};

/// Decodes one µ-law octet to 16 bits.
#[must_use]
pub fn decode_ulaw(code: u8) -> i16 {
    ULAW_TO_LINEAR[code as usize]
}

/// Decodes one A-law octet to 16 bits.
#[must_use]
pub fn decode_alaw(code: u8) -> i16 {
    ALAW_TO_LINEAR[code as usize]
}

/// Encodes a 16-bit sample as µ-law.
#[must_use]
pub fn encode_ulaw(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = i32::from(sample).abs().min(ULAW_CLIP) + ULAW_BIAS;
    let segment = 24 - magnitude.leading_zeros().cast_signed();
    let step = (magnitude >> (segment + 3)) & 0x0f;
    !(sign | (segment << 4) | step).to_le_bytes()[0]
}

/// Encodes a 16-bit sample as A-law.
#[must_use]
pub fn encode_alaw(sample: i16) -> u8 {
    let value = i32::from(sample) >> 3;
    // Negative values mirror the positive ones without a second zero: -1 has the code of 0.
    let (mask, magnitude) = if value >= 0 {
        (0xd5, value)
    } else {
        (0x55, -value - 1)
    };
    let segment = (27 - (magnitude | 0x0f).leading_zeros().cast_signed()).max(0);
    let shift = if segment < 2 { 1 } else { segment };
    let code = (segment << 4) | ((magnitude >> shift) & 0x0f);
    (code ^ mask).to_le_bytes()[0]
}

const fn ulaw_value(code: u8) -> i16 {
    let code = !code;
    let segment = (code >> 4) & 0x07;
    let step = (code & 0x0f) as i32;
    let magnitude = (((step << 3) + ULAW_BIAS) << segment) - ULAW_BIAS;
    if code & 0x80 == 0 {
        magnitude as i16
    } else {
        -magnitude as i16
    }
}

const fn alaw_value(code: u8) -> i16 {
    let code = code ^ 0x55;
    let segment = (code >> 4) & 0x07;
    let step = ((code & 0x0f) as i32) << 4;
    let magnitude = if segment == 0 {
        step + 8
    } else {
        (step + 0x108) << (segment - 1)
    };
    if code & 0x80 == 0 {
        -magnitude as i16
    } else {
        magnitude as i16
    }
}
