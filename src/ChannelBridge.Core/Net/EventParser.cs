using System.Text;
using ChannelBridge.Abstractions.Endpoints;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Core.Net;

/// <summary>Reads <c>text/event-stream</c> from bytes as they come; one event is never larger than the bound.</summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage("Reliability", "CA1001", Justification = "Streams in memory hold nothing but memory.")]
internal sealed class EventParser(int maxBytes)
{
    private readonly MemoryStream _line = new();
    private readonly MemoryStream _data = new();
    private string? _event;
    private string? _id;
    private bool _hasData;
    private bool _afterReturn;
    private bool _isFirstLine = true;

    /// <summary>Takes bytes up to the end of the next event, or all.</summary>
    /// <param name="bytes">What has come.</param>
    /// <param name="item">The event that is complete now, or null.</param>
    /// <returns>How many bytes were taken.</returns>
    public int Feed(ReadOnlySpan<byte> bytes, out ServerEvent? item)
    {
        item = null;
        for (var at = 0; ;)
        {
            // CR LF is one end of a line, also when it is cut in two.
            if (_afterReturn && at < bytes.Length)
            {
                _afterReturn = false;
                if (bytes[at] == (byte)'\n') at++;
            }

            if (at >= bytes.Length) return at;
            var end = bytes[at..].IndexOfAny((byte)'\n', (byte)'\r');
            var part = end < 0 ? bytes[at..] : bytes.Slice(at, end);
            if (_line.Length + _data.Length + part.Length > maxBytes)
                throw new BridgeException(ErrorCodes.PayloadTooLarge, $"An event of the stream is larger than {maxBytes} bytes.");
            _line.Write(part);
            if (end < 0) return bytes.Length;
            _afterReturn = bytes[at + end] == (byte)'\r';
            at += end + 1;
            item = TakeLine();
            if (item is not null) return at;
        }
    }

    private ServerEvent? TakeLine()
    {
        var line = _line.GetBuffer().AsSpan(0, (int)_line.Length);
        if (_isFirstLine && line.StartsWith("\uFEFF"u8)) line = line[3..];
        _isFirstLine = false;
        _line.SetLength(0);
        if (line.IsEmpty) return TakeEvent();
        if (line[0] == (byte)':') return null;
        var colon = line.IndexOf((byte)':');
        var name = colon < 0 ? line : line[..colon];
        var value = colon < 0 ? default : line[(colon + 1)..];
        if (!value.IsEmpty && value[0] == (byte)' ') value = value[1..];
        if (name.SequenceEqual("data"u8))
        {
            if (_hasData) _data.WriteByte((byte)'\n');
            _data.Write(value);
            _hasData = true;
        }
        else if (name.SequenceEqual("event"u8))
        {
            _event = Encoding.UTF8.GetString(value);
        }
        else if (name.SequenceEqual("id"u8) && value.IndexOf((byte)0) < 0)
        {
            _id = Encoding.UTF8.GetString(value);
        }

        return null;
    }

    private ServerEvent? TakeEvent()
    {
        ServerEvent? item = _hasData ? new ServerEvent(_data.ToArray(), _event, _id) : null;
        _data.SetLength(0);
        _hasData = false;
        _event = null;
        return item;
    }
}
