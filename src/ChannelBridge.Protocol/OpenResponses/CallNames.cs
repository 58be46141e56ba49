using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace ChannelBridge.Protocol.OpenResponses;

/// <summary>Calls as the client knows them and as the agent does: functions of namespaces may have another name there, and custom tools are
/// functions.</summary>
public static class CallNames
{
    private const string Input = "input";
    private static readonly JsonWriterOptions Writing = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The call as the client is to see it.</summary>
    /// <param name="tools">What was offered.</param>
    /// <param name="call">The call as the agent made it. Of a function that nobody offered it stays as it is.</param>
    public static FunctionCallItem ToClient(IReadOnlyList<FunctionTool> tools, FunctionCallItem call)
    {
        ArgumentNullException.ThrowIfNull(tools);
        ArgumentNullException.ThrowIfNull(call);
        FunctionTool? tool = null;
        foreach (var one in tools)
        {
            if (one.Name == call.Name) tool = one;
            // Models that were trained on namespaces may write them out.
            else if (tool is null && one.Namespace is { } space && IsWrittenOut(call.Name, space, one.OwnName ?? one.Name)) tool = one;
        }

        if (tool is null || tool is { Namespace: null, IsCustom: false }) return call;
        return call with
        {
            Name = tool.OwnName ?? tool.Name,
            Namespace = tool.Namespace,
            IsCustom = tool.IsCustom,
            Arguments = tool.IsCustom ? Unwrap(call.Arguments) : call.Arguments,
        };
    }

    /// <summary>The call as the agent is to see it.</summary>
    /// <param name="tools">What is offered now.</param>
    /// <param name="call">The call as the client gives it back.</param>
    public static FunctionCallItem ToAgent(IReadOnlyList<FunctionTool> tools, FunctionCallItem call)
    {
        ArgumentNullException.ThrowIfNull(tools);
        ArgumentNullException.ThrowIfNull(call);
        if (call is { Namespace: null, IsCustom: false }) return call;
        var tool = tools.FirstOrDefault(
            tool => tool.Namespace == call.Namespace && tool.IsCustom == call.IsCustom && (tool.OwnName ?? tool.Name) == call.Name);
        return call with
        {
            Name = tool?.Name ?? call.Name,
            Namespace = null,
            IsCustom = false,
            Arguments = call.IsCustom ? Wrap(call.Arguments) : call.Arguments,
        };
    }

    private static bool IsWrittenOut(string name, string space, string own) =>
        name.Length > own.Length + space.Length && name.StartsWith(space, StringComparison.Ordinal) && name.EndsWith(
            own, StringComparison.Ordinal)
        && name[space.Length..^own.Length] is "." or "__" or "_" or "/" or ":";

    /// <summary>The text of a custom tool's call: what a model wrote into <c>input</c>, or where it wrote something else, that.</summary>
    private static string Unwrap(string arguments)
    {
        try
        {
            using var document = JsonDocument.Parse(arguments);
            var root = document.RootElement;
            if (root.ValueKind == JsonValueKind.String) return root.GetString()!;
            if (root.ValueKind != JsonValueKind.Object) return arguments;
            if (root.TryGetProperty(Input, out var input) && input.ValueKind == JsonValueKind.String) return input.GetString()!;
            var members = root.EnumerateObject().ToList();
            if (members is [{ Value.ValueKind: JsonValueKind.String } only]) return only.Value.GetString()!;
            return members.Count == 0 ? "" : arguments;
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            return arguments;
        }
    }

    private static string Wrap(string text)
    {
        var buffer = new ArrayBufferWriter<byte>(text.Length + 16);
        using (var writer = new Utf8JsonWriter(buffer, Writing))
        {
            writer.WriteStartObject();
            writer.WriteString(Input, text);
            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }
}
