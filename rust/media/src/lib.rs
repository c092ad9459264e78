//! The media engine: transports, RTP sessions, codecs, players and recorders.
