using System.Buffers.Binary;

namespace ChannelBridge.Core.Net;

/// <summary>
/// Follows the incoming bytes of a WebSocket client from the handshake on and tells the numbers that pong frames bring back. .NET's client answers pings and
/// swallows pongs without a word, but a pong is the only proof there is that the broker has what was sent before the ping.
/// </summary>
internal sealed class FrameTap(Action<long> ponged)
{
    private const int Pong = 0xA;
    private const int PongPayload = sizeof(long);
    private readonly byte[] _header = new byte[14];
    private readonly byte[] _payload = new byte[PongPayload];
    private int _handshake;
    private int _read;
    private int _needed = 2;
    private long _skip;
    private int _collected;
    private bool _collecting;

    /// <summary>What has arrived.</summary>
    public void Feed(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            if (_handshake < 4) bytes = Handshake(bytes);
            else if (_skip > 0) bytes = Payload(bytes);
            else bytes = Header(bytes);
        }
    }

    /// <summary>Up to the empty line that ends the answer to the upgrade.</summary>
    private ReadOnlySpan<byte> Handshake(ReadOnlySpan<byte> bytes)
    {
        for (var i = 0; i < bytes.Length; i++)
        {
            var expected = (_handshake & 1) == 0 ? (byte)'\r' : (byte)'\n';
            _handshake = bytes[i] == expected ? _handshake + 1 : bytes[i] == '\r' ? 1 : 0;
            if (_handshake == 4) return bytes[(i + 1)..];
        }

        return [];
    }

    private ReadOnlySpan<byte> Header(ReadOnlySpan<byte> bytes)
    {
        var take = Math.Min(bytes.Length, _needed - _read);
        bytes[..take].CopyTo(_header.AsSpan(_read));
        _read += take;
        bytes = bytes[take..];
        if (_read < _needed) return bytes;
        var length = _header[1] & 0x7F;
        var full = 2 + (length == 126 ? 2 : length == 127 ? 8 : 0) + ((_header[1] & 0x80) != 0 ? 4 : 0);
        if (_needed < full)
        {
            _needed = full;
            return bytes;
        }

        _skip = length switch
        {
            126 => BinaryPrimitives.ReadUInt16BigEndian(_header.AsSpan(2)),
            127 => BinaryPrimitives.ReadInt64BigEndian(_header.AsSpan(2)),
            _ => length,
        };
        _collecting = (_header[0] & 0x0F) == Pong && _skip == PongPayload;
        _collected = 0;
        _read = 0;
        _needed = 2;
        return bytes;
    }

    private ReadOnlySpan<byte> Payload(ReadOnlySpan<byte> bytes)
    {
        var take = (int)Math.Min(bytes.Length, _skip);
        if (_collecting)
        {
            bytes[..take].CopyTo(_payload.AsSpan(_collected));
            _collected += take;
            if (_collected == PongPayload) ponged(BinaryPrimitives.ReadInt64BigEndian(_payload));
        }

        _skip -= take;
        return bytes[take..];
    }
}
