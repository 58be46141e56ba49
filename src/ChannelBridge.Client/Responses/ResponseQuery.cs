using System.Text.Json.Nodes;

namespace ChannelBridge.Client.Responses;

/// <summary>What an agent is asked: the members of an Open Responses request.</summary>
public sealed record ResponseQuery
{
    /// <summary>The question as a text; or <see cref="Items"/>.</summary>
    public string? Text { get; init; }

    /// <summary>The question as items of Open Responses (messages, outputs of functions, …), instead of <see cref="Text"/>.</summary>
    public JsonArray? Items { get; init; }

    /// <summary>The agent by name, alone or with a model behind a slash; null means the host's default.</summary>
    public string? Model { get; init; }

    /// <summary>What the agent is told before the conversation, or null.</summary>
    public string? Instructions { get; init; }

    /// <summary>The response that this one continues, or null.</summary>
    public string? PreviousResponseId { get; init; }

    /// <summary>Whether the host keeps it for continuation; null means yes.</summary>
    public bool? Store { get; init; }

    /// <summary>Further members as the specification names them (<c>tools</c>, <c>temperature</c>, <c>max_output_tokens</c>, …), or null.</summary>
    public JsonObject? More { get; init; }

    internal JsonObject ToJson()
    {
        if (Text is null == Items is null) throw new ArgumentException("A query has either Text or Items.");
        var json = More?.DeepClone().AsObject() ?? [];
        json["input"] = Text is not null ? Text : Items!.DeepClone();
        if (Model is not null) json["model"] = Model;
        if (Instructions is not null) json["instructions"] = Instructions;
        if (PreviousResponseId is not null) json["previous_response_id"] = PreviousResponseId;
        if (Store is not null) json["store"] = Store;
        return json;
    }
}
