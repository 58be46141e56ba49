using System.Text.Json;
using System.Text.Json.Serialization;
using ChannelBridge.Abstractions.Responses;
using ChannelBridge.Protocol.OpenResponses;

namespace ChannelBridge.Core.Responses;

/// <summary>The first line of a journal.</summary>
/// <param name="Id">The response.</param>
/// <param name="Owner">Whose it is.</param>
/// <param name="Session">The conversation.</param>
/// <param name="Store">Whether it is kept for continuation.</param>
/// <param name="Previous">What it continues, or null.</param>
/// <param name="Input">Its own input, when it is stored.</param>
/// <param name="OutlivesHost">True when it isn't ended with its host; see <see cref="ResponseStart.OutlivesHost"/>.</param>
internal sealed record JournalHeader(string Id, string Owner, string Session, bool Store, string? Previous, JsonElement? Input, bool? OutlivesHost = null);

/// <summary>A stored response.</summary>
/// <param name="Owner">Whose it is.</param>
/// <param name="Session">The conversation.</param>
/// <param name="Previous">What it continues, or null.</param>
/// <param name="Input">Its own input: a list of items.</param>
/// <param name="Response">The response at its end.</param>
/// <param name="Kept">Its output as its agent must be told it, when that is more than the response shows.</param>
internal sealed record ResponseRecord(
    string Owner, string Session, string? Previous, JsonElement Input, JsonElement Response, JsonElement? Kept = null)
{
    /// <summary>The output as its agent is told it.</summary>
    public IReadOnlyList<ResponseItem> ReadOutput() => ItemJson.Read(Kept ?? Response.GetProperty("output"));
}

// A request may be 64 deep, and stands deeper in a record.
[JsonSourceGenerationOptions(
    MaxDepth = 256, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(JournalHeader))]
[JsonSerializable(typeof(ResponseRecord))]
internal sealed partial class ResponsesJson : JsonSerializerContext;
