using System.Text;
using ChannelBridge.A2A.Json;

namespace ChannelBridge.A2A.Client;

/// <summary>A question for tasks as the query of a URL.</summary>
internal static class ListQuery
{
    public static string Of(ListTasksRequest request)
    {
        var query = new StringBuilder();
        Add("contextId", request.ContextId);
        Add("status", request.Status is TaskState.Unspecified ? null : Spelling.State(request.Status));
        Add("pageSize", request.PageSize?.ToString());
        Add("pageToken", request.PageToken);
        Add("historyLength", request.HistoryLength?.ToString());
        Add("statusTimestampAfter", request.StatusTimestampAfter is { } time ? TimestampConverter.Text(time) : null);
        Add("includeArtifacts", request.IncludeArtifacts is { } artifacts ? (artifacts ? "true" : "false") : null);
        return query.ToString();

        void Add(string name, string? value)
        {
            if (value is not null) query.Append(query.Length == 0 ? '?' : '&').Append(name).Append('=').Append(Uri.EscapeDataString(value));
        }
    }
}
