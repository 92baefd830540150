"""The words of Web Image Monitor's pages by the device's language.

guess: English and French are those of published pages where those show them; the rest is a translation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.copierstate import Language

_LANGUAGES: tuple[Language, ...] = ("en", "de", "fr", "es", "ja")
_TABLE: dict[str, tuple[str, str, str, str, str]] = {
    "login": ("Login", "Anmelden", "Connexion", "Conectar", "ログイン"),
    "logout": ("Logout", "Abmelden", "Déconnexion", "Desconectar", "ログアウト"),
    "ok": ("OK", "OK", "OK", "OK", "OK"),
    "error": ("Error", "Fehler", "Erreur", "Error", "エラー"),
    "refused": (
        "Authentication has failed.",
        "Die Authentifizierung ist fehlgeschlagen.",
        "L'authentification a échoué.",
        "Error de autenticación.",
        "認証に失敗しました。",
    ),
    "busy": (
        "The device is being used by other functions. Try again later.",
        "Das Gerät wird von anderen Funktionen verwendet. Versuchen Sie es später noch einmal.",
        "Le périphérique est en cours d'utilisation par d'autres fonctions. Réessayer ultérieurement.",
        "El dispositivo está siendo utilizado por otras funciones. Inténtelo de nuevo más tarde.",
        "他の機能で使用中です。しばらくしてから操作してください。",
    ),
    "full": (
        "The maximum number of logins has been reached. Try again later.",
        "Die maximale Anzahl von Anmeldungen ist erreicht. Versuchen Sie es später noch einmal.",
        "Le nombre maximal de connexions est atteint. Réessayer ultérieurement.",
        "Se ha alcanzado el número máximo de conexiones. Inténtelo de nuevo más tarde.",
        "ログイン数が上限に達しました。",
    ),
    "timeout": (
        "Session has timed out.",
        "Die Sitzung ist abgelaufen.",
        "La session a expiré.",
        "Tiempo de sesión agotado.",
        "セッションがタイムアウトしました。",
    ),
    "badflow": (
        "The operation is invalid.",
        "Der Vorgang ist ungültig.",
        "L'opération n'est pas valide.",
        "La operación no es válida.",
        "不正な操作です。",
    ),
    "model": ("Model Name", "Modellname", "Nom du modèle", "Nombre de modelo", "機種名"),
    "machine id": ("Machine ID", "Geräte-ID", "ID machine", "ID máquina", "機器番号"),
    "system": ("System", "System", "Système", "Sistema", "システム"),
    "host": ("Host Name", "Hostname", "Nom d'hôte", "Nombre de host", "ホスト名"),
    "mac": ("MAC Address", "MAC-Adresse", "Adresse MAC", "Dirección MAC", "MACアドレス"),
    "ip": ("IP Address", "IP-Adresse", "Adresse IP", "Dirección IP", "IPアドレス"),
    "mask": ("Subnet Mask", "Subnetz-Maske", "Masque de sous-réseau", "Máscara de subred", "サブネットマスク"),
    "gateway": (
        "Default Gateway Address",
        "Standard-Gateway-Adresse",
        "Adresse passerelle par défaut",
        "Dirección de gateway por defecto",
        "デフォルトゲートウェイアドレス",
    ),
    "dns": ("DNS Server", "DNS-Server", "Serveur DNS", "Servidor DNS", "DNSサーバー"),
    "date": ("Date/Time", "Datum/Zeit", "Date/Heure", "Fecha/Hora", "日付・時刻"),
    "timer": ("Timer", "Timer", "Minuterie", "Temporizador", "タイマー"),
    "logs": ("Logs", "Protokolle", "Journaux", "Registros", "ログ"),
    "download logs": (
        "Download Logs",
        "Protokolle herunterladen",
        "Télécharger les journaux",
        "Descargar registros",
        "ログダウンロード",
    ),
    "download": ("Download", "Herunterladen", "Télécharger", "Descargar", "ダウンロード"),
    "email": ("E-mail", "E-Mail", "E-mail", "E-mail", "メール"),
    "auto email": (
        "Auto E-mail Notification",
        "Auto-E-Mail-Benachrichtigung",
        "Notification automatique par e-mail",
        "Notificación automática por e-mail",
        "自動メール通知",
    ),
    "on-demand email": (
        "On-demand E-mail Notification",
        "On-Demand-E-Mail-Benachrichtigung",
        "Notification par e-mail à la demande",
        "Notificación por e-mail bajo demanda",
        "オンデマンドメール通知",
    ),
    "users": (
        "User Authentication Management",
        "Anwender-Authentifizierungsverwaltung",
        "Gestion authentification utilisateur",
        "Gestión de autenticación de usuario",
        "ユーザー認証管理",
    ),
    "interface": (
        "Interface Settings", "Schnittstelleneinstellungen", "Réglages interface", "Ajustes de interface",
        "インターフェース設定",
    ),
    "send settings": (
        "Send Settings", "Sendeeinstellungen", "Paramètres d'envoi", "Ajustes de envío", "送信設定",
    ),
    "device settings": (
        "Device Settings", "Geräteeinstellungen", "Paramètres périphérique", "Ajustes de dispositivo", "機器",
    ),
    "scanner": ("Scanner", "Scanner", "Scanner", "Escáner", "スキャナー"),
    "address list": ("Address List", "Adressliste", "Liste d'adresses", "Lista de direcciones", "アドレス帳一覧"),
    "admin mail": (
        "Administrator Email Address",
        "E-Mail-Adresse des Administrators",
        "Adresse e-mail administrateur",
        "Dirección de e-mail del administrador",
        "管理者メールアドレス",
    ),
    "auto sender": (
        "Auto Specify Sender Name",
        "Absendername autom. angeben",
        "Spécifier automatiquement le nom de l'expéditeur",
        "Especificar nombre del remitente automát.",
        "送信者名自動指定",
    ),
    "smtp server": (
        "SMTP Server Name", "SMTP-Servername", "Nom du serveur SMTP", "Nombre de servidor SMTP", "SMTPサーバー名",
    ),
    "smtp port": ("SMTP Port No.", "SMTP-Port-Nr.", "N° du port SMTP", "Nº de puerto SMTP", "SMTPポート番号"),
    "smtp ssl": (
        "Use Secure Connection (SSL)",
        "Sichere Verbindung (SSL) verwenden",
        "Utiliser connex. sécu. (SSL)",
        "Usar conexión segura (SSL)",
        "SSL",
    ),
    "smtp auth": (
        "SMTP Authentication", "SMTP-Authentifizierung", "Authentification SMTP", "Autenticación SMTP", "SMTP認証",
    ),
    "auth mail": (
        "SMTP Auth. Email Address",
        "E-Mail-Adresse für SMTP-Auth.",
        "Adresse e-mail Authentification SMTP",
        "Dirección de e-mail de autent. SMTP",
        "SMTP認証メールアドレス",
    ),
    "auth user": (
        "SMTP Auth. User Name",
        "Anwendername für SMTP-Auth.",
        "Nom utilisateur authentification SMTP",
        "Nombre de usuario de autent. SMTP",
        "SMTP認証ユーザー名",
    ),
    "auth password": (
        "SMTP Auth. Password",
        "Passwort für SMTP-Auth.",
        "Mot de passe authentification SMTP",
        "Contraseña de autent. SMTP",
        "SMTP認証パスワード",
    ),
    "encryption": (
        "SMTP Auth. Encryption", "SMTP-Auth.-Verschlüsselung", "Cryptage", "Cifrado de autent. SMTP", "SMTP認証暗号化",
    ),
    "pop": (
        "POP before SMTP", "POP vor SMTP", "POP avant SMTP", "POP antes de SMTP", "POP before SMTP",
    ),
    "reception": ("Reception Protocol", "Empfangsprotokoll", "Réception", "Protocolo de recepción", "受信プロトコル"),
    "most": (
        "Max. Email Size", "Max. E-Mail-Größe", "Taille max. e-mail", "Tamaño máx. de e-mail", "メール最大サイズ",
    ),
    "divide": (
        "Divide & Send Email", "E-Mail teilen & senden", "Diviser & envoyer e-mail", "Dividir y enviar e-mail",
        "メール分割送信",
    ),
}  # fmt: skip


def label(language: Language, name: str) -> str:
    """Return a label in a language."""
    return _TABLE[name][_LANGUAGES.index(language)]
