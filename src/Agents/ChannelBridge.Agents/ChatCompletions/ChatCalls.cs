using System.Text;
using System.Text.Json;
using ChannelBridge.Agents.Streams;

namespace ChannelBridge.Agents.ChatCompletions;

/// <summary>
/// Puts tool calls together from their pieces: names and arguments come whole, in pieces or again with each piece, and parallel calls with
/// an index, with one index for all, or with none, and with or without ids.
/// </summary>
/// <param name="tools">The functions that were offered, by which pieces of names are told from repetitions.</param>
internal sealed class ChatCalls(IReadOnlyList<string> tools)
{
    // More than any host runs; a stream that makes calls without end is bounded elsewhere by its bytes.
    private const int MaxId = 65_536;

    private readonly List<Call> _calls = [];

    /// <summary>Takes a piece of <c>tool_calls</c>.</summary>
    public void Add(JsonElement piece)
    {
        var function = piece.Member("function");
        if (function.ValueKind != JsonValueKind.Object) function = piece;
        var name = function.Text("name");
        var arguments = ArgumentsOf(function);
        var call = Find(piece.Number("index"), piece.Text("id"), name, arguments);
        call.AddName(name, tools);
        call.AddArguments(arguments, isWhole: function.Member("arguments").ValueKind == JsonValueKind.Object);
        call.AddExtra(piece);
    }

    /// <summary>Takes a piece of the older <c>function_call</c>: there is only one.</summary>
    public void AddOld(JsonElement piece)
    {
        var call = _calls.FirstOrDefault();
        if (call is null) _calls.Add(call = new Call(0, null));
        call.AddName(piece.Text("name"), tools);
        call.AddArguments(ArgumentsOf(piece), isWhole: piece.Member("arguments").ValueKind == JsonValueKind.Object);
    }

    /// <summary>The calls, each with an id of its own.</summary>
    /// <param name="nameless">True when one has arguments and no name: nobody can run it.</param>
    public List<Call> Finish(out bool nameless)
    {
        nameless = _calls.Exists(call => call.Name.Length == 0 && call.Arguments.Length > 0);
        var calls = _calls.FindAll(call => call.Name.Length > 0);
        var ids = new HashSet<string>(StringComparer.Ordinal);
        foreach (var call in calls)
        {
            // Some servers give none, or the same one twice; the result has to name one.
            if (call.Id is not { Length: > 0 and <= MaxId } given || !ids.Add(given)) ids.Add(call.Id = $"call_{Guid.NewGuid():N}");
        }

        return calls;
    }

    private static string ArgumentsOf(JsonElement function)
    {
        var arguments = function.Member("arguments");
        return arguments.ValueKind == JsonValueKind.Object ? arguments.GetRawText() : arguments.Text() ?? "";
    }

    /// <summary>The call that a piece belongs to, or a new one.</summary>
    private Call Find(long? index, string? id, string? name, string arguments)
    {
        if (id is { Length: 0 }) id = null;
        var known = index is not null ? _calls.FindLast(call => call.Index == index)
            : id is not null ? _calls.FindLast(call => call.Id == id)
            : _calls.LastOrDefault();
        // The same index under another id: servers that count each call as the first.
        if (known is not null && id is not null && known.Id is not null && known.Id != id)
            known = _calls.Find(call => call.Index == index && call.Id == id);
        // A name again, behind arguments that are whole: another call, unless the piece only repeats the name.
        else if (known is { Name.Length: > 0 } && (id is null || known.Id is null) && name is { Length: > 0 } && arguments.Length > 0 && known.IsWhole)
            known = null;
        if (known is null) _calls.Add(known = new Call(index, id));
        known.Id ??= id;
        return known;
    }

    /// <summary>One call.</summary>
    internal sealed class Call(long? index, string? id)
    {
        // What some servers want back with the call; other members are the protocol's own.
        private static readonly string[] Wanted = ["extra_content", "thought_signature", "provider_specific_fields"];

        private readonly StringBuilder _arguments = new();
        private readonly Dictionary<string, JsonElement> _extra = [];
        private bool? _isWhole;

        public long? Index => index;

        public string? Id { get; set; } = id;

        public string Name { get; private set; } = "";

        public string Arguments => _arguments.ToString();

        /// <summary>True when the arguments are JSON.</summary>
        public bool IsWhole => _isWhole ??= IsJson(Arguments);

        /// <summary>What the provider wants back with it, or null.</summary>
        public JsonElement? Extra
        {
            get
            {
                if (_extra.Count == 0) return null;
                var buffer = new System.Buffers.ArrayBufferWriter<byte>();
                using (var writer = new Utf8JsonWriter(buffer))
                {
                    writer.WriteStartObject();
                    foreach (var (name, value) in _extra)
                    {
                        writer.WritePropertyName(name);
                        value.WriteTo(writer);
                    }

                    writer.WriteEndObject();
                }

                using var document = JsonDocument.Parse(buffer.WrittenMemory, new JsonDocumentOptions { MaxDepth = 256 });
                return document.RootElement.Clone();
            }
        }

        public void AddName(string? piece, IReadOnlyList<string> tools)
        {
            if (string.IsNullOrEmpty(piece)) return;
            // Whole at once; again with each piece; or more of it.
            var isMore = piece.Length > Name.Length && piece.StartsWith(Name, StringComparison.Ordinal) && tools.Contains(piece);
            if (Name.Length == 0 || isMore) Name = piece;
            else if (piece != Name || tools.Contains(Name + piece))
                Name = tools.Contains(Name) && !tools.Contains(Name + piece) ? Name : Name + piece;
        }

        public void AddArguments(string piece, bool isWhole)
        {
            if (piece.Length == 0) return;
            if (isWhole) _arguments.Clear();
            _arguments.Append(piece);
            _isWhole = null;
        }

        public void AddExtra(JsonElement piece)
        {
            foreach (var name in Wanted)
            {
                if (piece.Member(name) is { ValueKind: not (JsonValueKind.Undefined or JsonValueKind.Null) } value)
                    _extra[name] = value.Clone();
            }
        }

        private static bool IsJson(string text)
        {
            try
            {
                using var document = JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = 256 });
                return true;
            }
            catch (JsonException)
            {
                return false;
            }
        }
    }
}
