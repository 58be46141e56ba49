namespace ChannelBridge.Agents;

/// <summary>Makes the address of an operation from what the operator wrote.</summary>
internal static class ProviderAddress
{
    /// <summary>The whole address.</summary>
    public static Uri Of(Uri url, AgentKind kind)
    {
        var operation = kind == AgentKind.Responses ? "/responses" : "/chat/completions";
        var address = new UriBuilder(url) { Fragment = "", UserName = "", Password = "" };
        var path = address.Path.TrimEnd('/');
        if (path.EndsWith(operation, StringComparison.OrdinalIgnoreCase)) address.Path = path;
        else address.Path = (path.Length == 0 ? "/v1" : path) + operation;
        return address.Uri;
    }

    /// <summary>The address as messages and diagnostics may show it: a query may hold a key.</summary>
    public static string Show(Uri address) => address.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped);
}
