import type { LucideIcon } from "lucide-react";
import type { ReactNode } from "react";

interface Props {
    icon: LucideIcon;
    title: string;
    text: string;
    children?: ReactNode;
    /** h1 where nothing else on the screen has that rank. */
    top?: boolean;
}

/** What is the matter, in one sentence, and what leads on. */
export function State({ icon: Icon, title, text, children, top = false }: Props) {
    const Title = top ? "h1" : "h2";
    return (
        <div className="state stack stack--loose">
            <span className="badge badge--large">
                <Icon size={32} aria-hidden />
            </span>
            <div className="stack stack--one">
                <Title>{title}</Title>
                <p className="quiet">{text}</p>
            </div>
            {children}
        </div>
    );
}
