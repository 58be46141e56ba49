namespace ChannelBridge.A2A;

/// <summary>The versions of the protocol, and where a request says which one it is.</summary>
public static class Versions
{
    /// <summary>The header, and the name of the query parameter, that names a version. Absent means <see cref="V03"/>.</summary>
    public const string Header = "A2A-Version";

    /// <summary>Version 0.3.</summary>
    public const string V03 = "0.3";

    /// <summary>Version 1.0.</summary>
    public const string V10 = "1.0";

    /// <summary>
    /// <c>Major.Minor</c> of a version as a card or a header has it: <c>1.0.1</c> is <c>1.0</c>. Whatever comes before 1.0 is read as 0.3,
    /// and so is nothing.
    /// </summary>
    public static string Normalise(string? version)
    {
        if (string.IsNullOrWhiteSpace(version)) return V03;
        var parts = version.Trim().Split('.');
        if (parts[0] == "0") return V03;
        return parts.Length > 1 ? $"{parts[0]}.{parts[1]}" : $"{parts[0]}.0";
    }
}
