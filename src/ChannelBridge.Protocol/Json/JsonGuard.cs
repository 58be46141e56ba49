using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;

namespace ChannelBridge.Protocol.Json;

/// <summary>
/// Walks a JSON value once and checks it against <see cref="JsonLimits"/>: depth, lengths, counts, and no member twice in one object.
/// The message readers run on it, so a message is read exactly once before its parts are used.
/// </summary>
internal struct JsonGuard
{
    // Names are compared by a 64-bit hash with a seed of this process: nobody outside can make two names collide, and two honest names
    // do so once in about 10^12 messages of a thousand members.
    private static readonly ulong Seed = MemoryMarshal.Read<ulong>(RandomNumberGenerator.GetBytes(8));

    private readonly JsonLimits _limits;
    private Starts _starts;
    private FewHashes _few;
    private ulong[]? _many;
    private int _hashCount;
    private int _values;

    /// <summary>Creates a guard; dispose of it when the message is read.</summary>
    public JsonGuard(JsonLimits limits) => _limits = limits;

    /// <summary>The options that let the guard, not the reader, report what is too deep.</summary>
    public static JsonReaderOptions ReaderOptions { get; } = new() { MaxDepth = JsonLimits.DepthCeiling + 1, CommentHandling = JsonCommentHandling.Disallow };

    /// <summary>Gives scratch memory back.</summary>
    public void Dispose()
    {
        if (_many is { } rented)
        {
            _many = null;
            ArrayPool<ulong>.Shared.Return(rented);
        }
    }

    /// <summary>Opens an object whose members the caller reads itself, such as the root.</summary>
    public bool EnterObject(in Utf8JsonReader reader, out ProtocolError error)
    {
        if (reader.CurrentDepth >= _limits.MaxDepth) return Fail(ProtocolFault.TooDeep, $"nested deeper than {_limits.MaxDepth}", out error);
        _starts[reader.CurrentDepth] = _hashCount;
        error = default;
        return true;
    }

    /// <summary>Checks the member name that the reader stands on.</summary>
    public bool Name(ref Utf8JsonReader reader, out ProtocolError error)
    {
        // Inside an object, CurrentDepth of a name is the object's depth + 1.
        var start = _starts[reader.CurrentDepth - 1];
        var name = reader.ValueSpan;
        if (name.Length > _limits.MaxNameBytes)
            return Fail(ProtocolFault.StringTooLong, $"a member's name is longer than {_limits.MaxNameBytes} bytes", out error);
        if (_hashCount - start >= _limits.MaxMembersPerObject)
            return Fail(ProtocolFault.TooManyMembers, $"an object has more than {_limits.MaxMembersPerObject} members", out error);

        ulong hash;
        if (reader.ValueIsEscaped)
        {
            Span<byte> unescaped = stackalloc byte[name.Length];
            hash = Hash(unescaped[..reader.CopyString(unescaped)]);
        }
        else
        {
            hash = Hash(name);
        }

        Span<ulong> hashes = _many is null ? _few : _many;
        if (hashes[start.._hashCount].Contains(hash))
            return Fail(ProtocolFault.DuplicateProperty, "an object has the same member twice", out error);
        if (_hashCount == hashes.Length) hashes = Grow(hashes);
        hashes[_hashCount++] = hash;
        error = default;
        return true;
    }

    /// <summary>Reads to the end of the value whose first token the reader stands on.</summary>
    public bool SkipValue(ref Utf8JsonReader reader, out ProtocolError error)
    {
        error = default;
        var depth = reader.CurrentDepth;
        while (true)
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.StartObject:
                    if (!Count(out error) || !EnterObject(reader, out error)) return false;
                    break;
                case JsonTokenType.StartArray:
                    if (!Count(out error)) return false;
                    if (reader.CurrentDepth >= _limits.MaxDepth)
                        return Fail(ProtocolFault.TooDeep, $"nested deeper than {_limits.MaxDepth}", out error);
                    break;
                case JsonTokenType.EndObject:
                    _hashCount = _starts[reader.CurrentDepth];
                    if (reader.CurrentDepth == depth) return true;
                    break;
                case JsonTokenType.EndArray:
                    if (reader.CurrentDepth == depth) return true;
                    break;
                case JsonTokenType.PropertyName:
                    if (!Name(ref reader, out error)) return false;
                    break;
                default:
                    if (!Count(out error)) return false;
                    if (reader.TokenType == JsonTokenType.String && reader.ValueSpan.Length > _limits.MaxStringBytes)
                        return Fail(ProtocolFault.StringTooLong, $"a string is longer than {_limits.MaxStringBytes} bytes", out error);
                    if (reader.CurrentDepth == depth) return true;
                    break;
            }

            if (!reader.Read()) return Fail(ProtocolFault.InvalidJson, "the message ends inside a value", out error);
        }
    }

    private bool Count(out ProtocolError error)
    {
        error = default;
        return ++_values <= _limits.MaxValues
            || Fail(ProtocolFault.TooManyMembers, $"the message has more than {_limits.MaxValues} values", out error);
    }

    private ulong[] Grow(ReadOnlySpan<ulong> hashes)
    {
        var larger = ArrayPool<ulong>.Shared.Rent(hashes.Length * 2);
        hashes.CopyTo(larger);
        Dispose();
        return _many = larger;
    }

    private static bool Fail(ProtocolFault fault, string message, out ProtocolError error)
    {
        error = new ProtocolError(fault, message);
        return false;
    }

    private static ulong Hash(ReadOnlySpan<byte> name)
    {
        const ulong Prime = 0x9E3779B97F4A7C15;
        var hash = Seed ^ ((ulong)name.Length * Prime);
        while (name.Length >= 8)
        {
            hash = Mix(hash ^ MemoryMarshal.Read<ulong>(name));
            name = name[8..];
        }

        ulong tail = 0;
        foreach (var b in name) tail = (tail << 8) | b;
        return Mix(hash ^ tail);
    }

    private static ulong Mix(ulong value)
    {
        var high = Math.BigMul(value, 0xD6E8FEB86659FD93, out var low);
        return high ^ low ^ Seed;
    }

    /// <summary>For each open object, where its names begin.</summary>
    [InlineArray(JsonLimits.DepthCeiling + 1)]
    private struct Starts
    {
        private int _first;
    }

    /// <summary>The names of ordinary messages; larger ones borrow an array.</summary>
    [InlineArray(48)]
    private struct FewHashes
    {
        private ulong _first;
    }
}
