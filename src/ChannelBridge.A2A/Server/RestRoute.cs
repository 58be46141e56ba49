namespace ChannelBridge.A2A.Server;

/// <summary>What is asked for over plain HTTP.</summary>
internal enum RestOperation
{
    Send,
    Stream,
    List,
    Get,
    Cancel,
    Subscribe,
    SetPush,
    GetPush,
    ListPush,
    DeletePush,
    Card,
}

/// <summary>A path that was understood: version 0.3 stands below <c>v1/</c>, 1.0 may begin with a tenant.</summary>
internal readonly record struct RestRoute(
    RestOperation Operation, bool IsOld, string? Tenant = null, string TaskId = "", string ConfigId = "")
{
    /// <summary>Understands a path. Null: there is nothing there; the verb is another matter.</summary>
    public static RestRoute? Of(string verb, string path)
    {
        var parts = path.Trim('/').Split('/');
        if (parts is ["v1", ..]) return Of(verb, parts.AsSpan(1), isOld: true, tenant: null);
        return Of(verb, parts, isOld: false, tenant: null)
            ?? (parts.Length > 1 && parts[0].Length > 0 ? Of(verb, parts.AsSpan(1), isOld: false, parts[0]) : null);
    }

    private static RestRoute? Of(string verb, ReadOnlySpan<string> parts, bool isOld, string? tenant)
    {
        if (parts.Length == 0) return null;
        RestOperation? operation = null;
        var task = "";
        var config = "";
        var isGet = verb is "GET";
        var isPost = verb is "POST";
        if (parts.Length == 1)
        {
            operation = parts[0] switch
            {
                "message:send" when isPost => RestOperation.Send,
                "message:stream" when isPost => RestOperation.Stream,
                "tasks" when isGet && !isOld => RestOperation.List,
                "card" when isGet && isOld => RestOperation.Card,
                "extendedAgentCard" when isGet && !isOld => RestOperation.Card,
                _ => null,
            };
        }
        else if (parts[0] == "tasks" && parts[1].Length > 0)
        {
            task = parts[1];
            var isConfigs = parts.Length > 2 && parts[2] == "pushNotificationConfigs";
            if (parts.Length == 2)
            {
                // The word behind the last colon may be an action; an id may have colons of its own.
                if (isPost && TryCut(ref task, ":cancel")) operation = RestOperation.Cancel;
                else if ((isPost || isGet) && TryCut(ref task, ":subscribe")) operation = RestOperation.Subscribe;
                else if (isGet) operation = RestOperation.Get;
            }
            else if (isConfigs && parts.Length == 3)
            {
                operation = isPost ? RestOperation.SetPush : isGet ? RestOperation.ListPush : null;
            }
            else if (isConfigs && parts.Length == 4 && parts[3].Length > 0)
            {
                config = parts[3];
                operation = isGet ? RestOperation.GetPush : verb is "DELETE" ? RestOperation.DeletePush : null;
            }
        }

        return operation is { } found ? new RestRoute(found, isOld, tenant, task, config) : null;
    }

    private static bool TryCut(ref string text, string end)
    {
        if (!text.EndsWith(end, StringComparison.Ordinal) || text.Length == end.Length) return false;
        text = text[..^end.Length];
        return true;
    }
}
