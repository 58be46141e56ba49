using System.Buffers;
using System.Text.Json;
using System.Text.Unicode;

namespace ChannelBridge.Protocol.Json;

/// <summary>
/// Finds the root member <c>id</c> of a message that can't be read as a whole: malformed, cut off, or too large to be kept. It takes the bytes in
/// pieces of any size, remembers almost nothing, and never fails: an id that isn't there is simply not found. So the sender gets an error for
/// its request instead of a time-out.
/// </summary>
public sealed class MessageIdScanner
{
    private const int MaxIdBytes = 512;

    private readonly byte[] _value = new byte[MaxIdBytes];
    private int _valueLength;
    private int _depth;
    private int _keyMatched;
    private bool _rootIsObject;
    private bool _escaped;
    private State _state = State.Start;

    private enum State
    {
        Start,
        Structure,
        RootKey,
        AfterRootKey,
        ExpectIdValue,
        OtherString,
        IdString,
        IdNumber,
        Done,
    }

    /// <summary>The raw JSON text of the id (a string with its quotes, or a number), or empty when none was found so far.</summary>
    public ReadOnlyMemory<byte> Id => _state == State.Done ? _value.AsMemory(0, _valueLength) : default;

    /// <summary>Scans a whole message at once.</summary>
    /// <returns>The raw id, or empty.</returns>
    public static ReadOnlyMemory<byte> Find(ReadOnlySpan<byte> message)
    {
        var scanner = new MessageIdScanner();
        scanner.Feed(message);
        scanner.Complete();
        return scanner.Id;
    }

    /// <summary>Scans a whole message at once.</summary>
    /// <returns>The raw id, or empty.</returns>
    public static ReadOnlyMemory<byte> Find(in ReadOnlySequence<byte> message)
    {
        var scanner = new MessageIdScanner();
        foreach (var piece in message) scanner.Feed(piece.Span);
        scanner.Complete();
        return scanner.Id;
    }

    /// <summary>Takes the next bytes.</summary>
    public void Feed(ReadOnlySpan<byte> bytes)
    {
        for (var i = 0; i < bytes.Length && _state != State.Done; i++) Feed(bytes[i]);
    }

    /// <summary>Says that no more bytes come: a number at the very end is complete then.</summary>
    public void Complete()
    {
        if (_state == State.IdNumber) Finish();
    }

    private static bool IsSpace(byte b) => b is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n';

    private void Feed(byte b)
    {
        switch (_state)
        {
            case State.Start:
                if (IsSpace(b)) return;
                _rootIsObject = b == '{';
                _depth = b is (byte)'{' or (byte)'[' ? 1 : 0;
                _state = State.Structure;
                return;
            case State.Structure:
                Structure(b);
                return;
            case State.RootKey:
                RootKey(b);
                return;
            case State.AfterRootKey:
                if (IsSpace(b)) return;
                _state = b == ':' && _keyMatched == 2 ? State.ExpectIdValue : State.Structure;
                if (b != ':') Structure(b);
                return;
            case State.ExpectIdValue:
                if (IsSpace(b)) return;
                _valueLength = 0;
                if (b == '"')
                {
                    _value[_valueLength++] = b;
                    _state = State.IdString;
                }
                else if (b is (byte)'-' or (>= (byte)'0' and <= (byte)'9'))
                {
                    _value[_valueLength++] = b;
                    _state = State.IdNumber;
                }
                else
                {
                    _state = State.Structure;
                    Structure(b);
                }

                return;
            case State.OtherString:
                if (_escaped) _escaped = false;
                else if (b == '\\') _escaped = true;
                else if (b == '"') _state = State.Structure;
                return;
            case State.IdString:
                IdString(b);
                return;
            case State.IdNumber:
                if (b is (>= (byte)'0' and <= (byte)'9') or (byte)'.' or (byte)'e' or (byte)'E' or (byte)'+' or (byte)'-')
                {
                    Append(b);
                }
                else
                {
                    Finish();
                    if (_state == State.Structure) Structure(b);
                }

                return;
        }
    }

    private void Structure(byte b)
    {
        switch (b)
        {
            case (byte)'"':
                _escaped = false;
                _keyMatched = 0;
                _state = _rootIsObject && _depth == 1 ? State.RootKey : State.OtherString;
                break;
            case (byte)'{' or (byte)'[':
                _depth++;
                break;
            case (byte)'}' or (byte)']':
                _depth--;
                break;
        }
    }

    // A string at depth 1 is a key or a value; it counts as the key only if a colon follows, so both run through here.
    private void RootKey(byte b)
    {
        if (_escaped)
        {
            _escaped = false;
            _keyMatched = -1;
        }
        else if (b == '\\')
        {
            _escaped = true;
        }
        else if (b == '"')
        {
            _state = State.AfterRootKey;
        }
        else
        {
            _keyMatched = _keyMatched switch
            {
                0 when b == 'i' => 1,
                1 when b == 'd' => 2,
                _ => -1,
            };
        }
    }

    private void IdString(byte b)
    {
        Append(b);
        if (_state != State.IdString) return;
        if (_escaped) _escaped = false;
        else if (b == '\\') _escaped = true;
        else if (b == '"') Finish();
    }

    private void Finish() => _state = IsJson(_value.AsSpan(0, _valueLength)) ? State.Done : State.Structure;

    // What is echoed must itself be legal JSON and UTF-8, whatever the sender put there.
    private static bool IsJson(ReadOnlySpan<byte> value)
    {
        if (!Utf8.IsValid(value)) return false;
        try
        {
            var reader = new Utf8JsonReader(value);
            return reader.Read() && !reader.Read();
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private void Append(byte b)
    {
        if (_valueLength == MaxIdBytes)
        {
            _state = _state == State.IdString ? State.OtherString : State.Structure;
            return;
        }

        _value[_valueLength++] = b;
    }
}
