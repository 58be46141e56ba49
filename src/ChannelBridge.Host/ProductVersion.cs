using System.Reflection;

namespace ChannelBridge.Host;

/// <summary>The version of the product.</summary>
internal static class ProductVersion
{
    /// <summary>E.g. <c>0.1.0</c>.</summary>
    public static string Text { get; } =
        typeof(ProductVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0.0.0";
}
