using System.Text;
using ChannelBridge.A2A;

namespace ChannelBridge.Host.Commands.A2A;

/// <summary>Records of A2A as people read them. What strangers wrote is shown without control characters: a terminal obeys those.</summary>
internal static class PeerText
{
    public static string Card(AgentCard card)
    {
        var text = new StringBuilder().AppendLine(Clean($"{card.Name} {card.Version}"));
        if (card.Description.Length > 0) text.AppendLine(Clean(card.Description));
        foreach (var place in card.SupportedInterfaces)
        {
            var tenant = place.Tenant is { Length: > 0 } named ? " tenant " + named : "";
            text.AppendLine(Clean($"  {place.ProtocolVersion} {place.ProtocolBinding} {place.Url}{tenant}"));
        }

        var can = new List<string>();
        if (card.Capabilities.Streaming is true) can.Add("streams");
        if (card.Capabilities.PushNotifications is true) can.Add("push notifications");
        if (card.Capabilities.ExtendedAgentCard is true) can.Add("an extended card");
        text.AppendLine(can.Count > 0 ? "  has " + string.Join(", ", can) : "  has neither streams nor push notifications");
        foreach (var skill in card.Skills) text.AppendLine(Clean($"  skill {skill.Id}: {skill.Description}"));
        return text.ToString().TrimEnd();
    }

    public static string Task(A2ATask task)
    {
        var since = task.Status.Timestamp is { } time ? $" since {time:u}" : "";
        var text = new StringBuilder().AppendLine(Clean($"{task.Id} {State(task.Status.State)}{since} in {task.ContextId}"));
        foreach (var message in task.History ?? [])
        {
            text.AppendLine($"  {(message.Role is MessageRole.User ? "you" : "agent")}: {Parts(message.Parts)}");
        }
        if (task.Status.Message is { } said) text.AppendLine("  agent: " + Parts(said.Parts));
        foreach (var artifact in task.Artifacts ?? [])
        {
            text.AppendLine($"  {Clean(artifact.Name ?? artifact.ArtifactId)}: {Parts(artifact.Parts)}");
        }
        return text.ToString().TrimEnd();
    }

    public static string Page(ListTasksResult page)
    {
        var text = new StringBuilder();
        foreach (var task in page.Tasks) text.AppendLine(Task(task));
        text.Append($"{page.Tasks.Count} of {page.TotalSize}");
        if (page.NextPageToken.Length > 0) text.Append(Clean($"; go on with --page-token {page.NextPageToken}"));
        return text.ToString();
    }

    /// <summary>What a task has made, or said where it made nothing.</summary>
    public static string Made(A2ATask task)
    {
        if (task.Artifacts is { Count: > 0 } artifacts)
        {
            return string.Join(Environment.NewLine, artifacts.Select(static artifact => Parts(artifact.Parts)));
        }
        if (task.Status.Message is { } said) return Parts(said.Parts);
        return task.History?.LastOrDefault(static message => message.Role is MessageRole.Agent) is { } last ? Parts(last.Parts) : "";
    }

    public static string Parts(IReadOnlyList<A2APart> parts) => string.Concat(parts.Select(static part => part switch
    {
        { Text: { } text } => Clean(text),
        { Raw: { } raw } => $"[{Clean(part.Filename ?? "file")}, {raw.Length} bytes]",
        { Url: { } url } => $"[{Clean(part.Filename ?? "file")} at {Clean(url)}]",
        { Data: { } data } => Clean(data.GetRawText()),
        _ => "",
    }));

    public static string State(TaskState state) => state switch
    {
        TaskState.InputRequired => "input-required",
        TaskState.AuthRequired => "auth-required",
        _ => state.ToString().ToLowerInvariant(),
    };

    private static string Clean(string text) => text.Any(static letter => char.IsControl(letter) && letter is not '\n' and not '\t')
        ? string.Concat(text.Where(static letter => !char.IsControl(letter) || letter is '\n' or '\t'))
        : text;
}
